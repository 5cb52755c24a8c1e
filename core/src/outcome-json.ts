import { parseIsoDate } from './iso-date.ts'
import { JsonBytes } from './json-bytes.ts'
import type { Outcome } from './outcome.ts'
import { isReservedName } from './outcome.ts'
import type { Params } from './params.ts'
import { PlainOutcome } from './plain-outcome.ts'
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

/** Appends the record of `scenario-log`, see above, in UTF-8. */
export function appendOutcome(out: JsonBytes, outcome: Outcome): void {
  out.ascii('{')
  if (outcome instanceof PlainOutcome) outcome.appendFields(out)
  else appendFields(out, outcome.fields)
  out.ascii('"success":')
  out.ascii(outcome.success === 1 ? '1' : '0')
  out.ascii(',"scenario_id":')
  out.ascii(String(outcome.scenarioId))
  out.ascii(',"date":')
  out.date(outcome.date)
  out.ascii(',"event_id":')
  out.text(outcome.eventId)
  out.ascii(',"scenario_version":')
  out.ascii(String(outcome.scenarioVersion))
  out.ascii(',"judging_version":')
  out.ascii(String(outcome.judgingVersion))
  out.ascii(',"received_at":')
  out.date(outcome.receivedAt)
  out.ascii('}')
}

function appendFields(out: JsonBytes, fields: Params): void {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string
    out.text(isReservedName(name) ? `event.${name}` : name)
    out.ascii(':')
    out.text(fields[i + 1] as string)
    out.ascii(',')
  }
}

const scratch = new JsonBytes(4096)

/** The record of `scenario-log` as text; `decodeOutcome` gives the outcome back. */
export function encodeOutcome(outcome: Outcome): string {
  scratch.length = 0
  appendOutcome(scratch, outcome)
  return scratch.toString()
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
