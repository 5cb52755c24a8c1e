import { type ArchiveColumn, EVENT_COLUMNS, OUTCOME_COLUMNS } from './archive-columns.ts'
import type { Event } from './event.ts'
import type { Outcome } from './outcome.ts'
import type { Params } from './params.ts'

/** A column's value: text, a whole number (Unix ms for timestamps), or `null`. */
export type ArchiveValue = string | number | null

/** The place of a record in its log. */
export interface ArchivePlace {
  partition: number
  offset: number
}

/** The row of `event_log` for an event, in the order of `EVENT_COLUMNS`. */
export function eventRow(event: Event, place: ArchivePlace): ArchiveValue[] {
  return row(EVENT_COLUMNS, eventValue, event, event.params, place)
}

/** The row of `scenario_log` for an outcome, in the order of `OUTCOME_COLUMNS`. */
export function outcomeRow(outcome: Outcome, place: ArchivePlace): ArchiveValue[] {
  return row(OUTCOME_COLUMNS, outcomeValue, outcome, outcome.fields, place)
}

function eventValue(event: Event, name: string): string | number | undefined {
  switch (name) {
    case 'event_id':
      return event.eventId
    case 'scenario_id':
      return event.scenarioId
    case 'site_id':
      return event.siteId
    case 'date':
      return event.date
    case 'received_at':
      return event.receivedAt
    case 'visitor_id':
      return event.visitorId
    case 'member_id':
      return event.memberId
    case 'ip':
      return event.ip
    default:
      return event.userAgent
  }
}

function outcomeValue(outcome: Outcome, name: string): string | number | undefined {
  switch (name) {
    case 'event_id':
      return outcome.eventId
    case 'scenario_id':
      return outcome.scenarioId
    case 'scenario_version':
      return outcome.scenarioVersion
    case 'judging_version':
      return outcome.judgingVersion
    case 'success':
      return outcome.success
    case 'date':
      return outcome.date
    default:
      return outcome.receivedAt
  }
}

function row<Record>(
  columns: readonly ArchiveColumn[],
  read: (record: Record, name: string) => string | number | undefined,
  record: Record,
  params: Params,
  place: ArchivePlace,
): ArchiveValue[] {
  // A name keeps the place of its first value and takes the last one: the last is the one that counts.
  const named = new Map<string, string>()
  for (let i = 0; i + 1 < params.length; i += 2) {
    named.set(wellFormed(params[i] as string), wellFormed(params[i + 1] as string))
  }
  const values: ArchiveValue[] = []
  const dropped = new Set<string>()
  for (const { source } of columns) {
    if (source.from === 'own') {
      const value = archived(read(record, source.name))
      values.push(value)
      const { sameAs } = source
      if (sameAs !== undefined && value !== null && named.get(sameAs) === String(value)) dropped.add(sameAs)
    } else if (source.from === 'param') {
      values.push(named.get(source.name) ?? null)
      dropped.add(source.name)
    } else if (source.from === 'partition') values.push(place.partition)
    else if (source.from === 'offset') values.push(place.offset)
    else values.push(null)
  }
  let rest = ''
  for (const [name, value] of named) {
    if (!dropped.has(name)) rest += `${rest === '' ? '{' : ','}${JSON.stringify(name)}:${JSON.stringify(value)}`
  }
  if (rest !== '') values[columns.findIndex(column => column.source.from === 'rest')] = `${rest}}`
  return values
}

function archived(value: string | number | undefined): ArchiveValue {
  if (typeof value === 'string') return wellFormed(value)
  // An `idsite` beyond 2^53 is no number that a reader could rely on; it stays in `params` as sent.
  return value !== undefined && Number.isSafeInteger(value) ? value : null
}

/** Lone surrogates become U+FFFD: Parquet's texts are UTF-8, and a JSON text with `\ud800` is refused by readers. */
function wellFormed(text: string): string {
  return /[\ud800-\udfff]/.test(text) ? text.replace(/\p{Surrogate}/gu, '\ufffd') : text
}
