import { isoDate, parseIsoDate } from './iso-date.ts'
import { quoteName, quoteText } from './json-text.ts'
import type { Outcome } from './outcome.ts'
import { isReservedName } from './outcome.ts'
import { parseRecord, RecordError } from './record-error.ts'

/*
 * The record of `scenario-log`, flat as in the seeds, one JSON text without newlines:
 *
 *   {"memberId":"123456","h":"12","success":1,"scenario_id":5,"date":"2025-06-18T03:50:10.123Z","event_id":"…",
 *    "scenario_version":3,"judging_version":2,"received_at":"2025-06-18T03:50:10.456Z"}
 *
 * Kept fields come first and are always text; the reserved names (`RESERVED_NAMES`) come last and always mean the
 * outcome's own values: a kept field with such a name is written as `event.<name>`, so nobody can forge a success.
 */

/** The record of `scenario-log`: one JSON text, see above. */
export function encodeOutcome(outcome: Outcome): string {
  const { fields } = outcome
  let json = '{'
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string
    json += `${quoteName(isReservedName(name) ? `event.${name}` : name)}:${quoteText(fields[i + 1] as string)},`
  }
  return `${json}"success":${outcome.success},"scenario_id":${outcome.scenarioId},"date":"${isoDate(outcome.date)}","event_id":${quoteText(outcome.eventId)},"scenario_version":${outcome.scenarioVersion},"judging_version":${outcome.judgingVersion},"received_at":"${isoDate(outcome.receivedAt)}"}`
}

/**
 * The outcome of a `scenario-log` record. Each field stands once (of a repeated name the last value counts), in the
 * record's order, save that names which are whole numbers come first: JavaScript objects order them so.
 * Throws `RecordError` (BAD_RECORD) when the record is none.
 */
export function decodeOutcome(json: string): Outcome {
  const record = parseRecord(json)
  const { success, scenario_id, event_id, scenario_version, judging_version } = record
  const date = typeof record.date === 'string' ? parseIsoDate(record.date) : Number.NaN
  const receivedAt = typeof record.received_at === 'string' ? parseIsoDate(record.received_at) : Number.NaN
  if (
    (success !== 0 && success !== 1) ||
    typeof scenario_id !== 'number' ||
    typeof event_id !== 'string' ||
    typeof scenario_version !== 'number' ||
    typeof judging_version !== 'number' ||
    Number.isNaN(date) ||
    Number.isNaN(receivedAt)
  ) {
    throw new RecordError(
      'a scenario-log record has success (0 or 1), scenario_id, date, event_id, scenario_version, judging_version and received_at',
      json,
    )
  }
  const fields: string[] = []
  for (const name of Object.keys(record)) {
    const value = record[name]
    if (typeof value === 'string' && !isReservedName(name)) fields.push(name, value)
  }
  return {
    eventId: event_id,
    scenarioId: scenario_id,
    scenarioVersion: scenario_version,
    judgingVersion: judging_version,
    success,
    date,
    receivedAt,
    fields,
  }
}
