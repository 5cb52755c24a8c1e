import type { CountedOutcome } from './counters.ts'
import { parseIsoDate } from './iso-date.ts'
import { decodeOutcome } from './outcome-json.ts'

const SUCCESS = '"success":'
const SCENARIO_ID = ',"scenario_id":'
const DATE = ',"date":"'
const EVENT_ID = '","event_id":"'
const SCENARIO_VERSION = '","scenario_version":'
const JUDGING_VERSION = ',"judging_version":'
const RECEIVED_AT = ',"received_at":"'

/**
 * What `Counters` needs of a `scenario-log` record, without taking the rest apart: more than twice as fast as
 * `decodeOutcome`, with the same answer. Throws `RecordError` as that does.
 *
 * `encodeOutcome` writes its own values last and in a fixed order, and the last `"success":` of such a record is its own:
 * a quote inside a JSON string stands behind a backslash, and the one string that follows (`event_id`) is a value, so no
 * colon comes after its closing quote. Anything that deviates from that order is given to `decodeOutcome`.
 */
export function readCountedOutcome(json: string): CountedOutcome {
  const start = json.lastIndexOf(SUCCESS)
  let at = start + SUCCESS.length
  const success = json.charCodeAt(at) - 0x30
  if (start < 1 || (success !== 0 && success !== 1) || !json.startsWith(SCENARIO_ID, at + 1)) return slowly(json)

  at += 1 + SCENARIO_ID.length
  const scenarioId = wholeNumber(json, at)
  at = json.indexOf(',', at)
  if (scenarioId < 0 || at < 0 || !json.startsWith(DATE, at)) return slowly(json)

  at += DATE.length
  if (!json.startsWith(EVENT_ID, at + 24)) return slowly(json)
  const date = parseIsoDate(json.slice(at, at + 24))

  const versions = json.lastIndexOf(SCENARIO_VERSION)
  if (versions < at) return slowly(json)
  at = json.indexOf(',', versions + SCENARIO_VERSION.length)
  if (at < 0 || !json.startsWith(JUDGING_VERSION, at)) return slowly(json)
  at += JUDGING_VERSION.length
  const judgingVersion = wholeNumber(json, at)
  at = json.indexOf(',', at)
  // The rest is the arrival, which ends the record: 24 characters and `"}`.
  if (judgingVersion < 0 || Number.isNaN(date) || at + RECEIVED_AT.length + 26 !== json.length) return slowly(json)
  if (!json.startsWith(RECEIVED_AT, at) || !json.endsWith('"}')) return slowly(json)
  return { scenarioId, judgingVersion, success, date }
}

function slowly(json: string): CountedOutcome {
  const { scenarioId, judgingVersion, success, date } = decodeOutcome(json)
  return { scenarioId, judgingVersion, success, date }
}

/** The digits from `at` to the next comma as a number below 10^15; −1 when something else stands there. */
function wholeNumber(json: string, at: number): number {
  let value = 0
  for (let i = at; i < at + 16; i++) {
    const code = json.charCodeAt(i)
    if (code === 0x2c) return i === at ? -1 : value
    if (!(code >= 0x30 && code <= 0x39)) return -1
    value = value * 10 + (code - 0x30)
  }
  return -1
}
