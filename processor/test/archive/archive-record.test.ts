import {
  ARCHIVE_COLUMNS,
  type ArchiveTable,
  type ArchiveValue,
  decodeEvent,
  decodeOutcome,
  type Event,
  encodeEvent,
  encodeOutcome,
  eventRow,
  type Outcome,
  outcomeRow,
} from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ArchiveRecord } from '../../src/sinks/archive-record.ts'
import { anyEvent, anyOutcome } from './arbitrary-records.ts'

const PLACE = { partition: 0, offset: 0 }

/** One a table for all records here, as in a sink: what it knows of the names of one record must not change the next. */
const READERS = {
  event_log: new ArchiveRecord(ARCHIVE_COLUMNS.event_log, false),
  scenario_log: new ArchiveRecord(ARCHIVE_COLUMNS.scenario_log, true),
}

/** The row as the quick reader sees it, or `undefined` when it leaves the record to the general way. */
function quickRow(table: ArchiveTable, json: string): ArchiveValue[] | undefined {
  const columns = ARCHIVE_COLUMNS[table]
  const record = READERS[table]
  if (!record.read(Buffer.from(json))) return undefined
  return columns.map(({ source, type }, i) => {
    if (source.from === 'partition') return PLACE.partition
    if (source.from === 'offset') return PLACE.offset
    if (source.from === 'rest')
      return record.restLength === 0 ? null : record.rest.toString('utf8', 0, record.restLength)
    if (type !== 'text') return Number.isNaN(record.numbers[i]) ? null : (record.numbers[i] as number)
    const start = record.starts[i] as number
    return start < 0 ? null : record.bytes.toString('utf8', start, record.ends[i])
  })
}

const EVENT: Event = {
  eventId: 'e-1',
  scenarioId: 5,
  siteId: 1,
  receivedAt: Date.UTC(2025, 5, 18, 3, 50, 10, 456),
  date: Date.UTC(2025, 5, 18, 3, 50, 10, 123),
  visitorId: '0dc813c4cde7f430',
  memberId: '123456',
  ip: '203.0.113.0',
  userAgent: 'UA "quoted"\n',
  params: ['e_c', 'buttonClick', 'e_n', '고면할당하기', 'url', 'http://a/', 'x', '1'],
}

const OUTCOME: Outcome = {
  eventId: 'e-1',
  scenarioId: 5,
  scenarioVersion: 3,
  judgingVersion: 2,
  success: 1,
  date: EVENT.date,
  receivedAt: EVENT.receivedAt,
  fields: [],
}

function withParams(...params: string[]): Record<string, ArchiveValue> {
  const row = quickRow('event_log', encodeEvent({ ...EVENT, params }))
  return Object.fromEntries(ARCHIVE_COLUMNS.event_log.map(({ name }, i) => [name, row?.[i] ?? null]))
}

describe('the quick reader of records', () => {
  it('gives the same rows for records of few forms in any order, repeated and removed names among them', () => {
    const form = fc.array(fc.constantFrom('e_c', 'url', 'x', 'y', 'memberId', 'h', 'a"b', '고'), { maxLength: 6 })
    const forms = fc.array(form, { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(forms, fc.array(fc.tuple(fc.nat(), fc.string({ maxLength: 6 }))), (known, records) => {
        for (const [number, value] of records) {
          const params = (known[number % known.length] as string[]).flatMap((name, i) => [name, `${value}${i}`])
          const event = encodeEvent({ ...EVENT, params, ...(number % 2 === 0 && { siteId: undefined }) })
          expect(quickRow('event_log', event)).toEqual(eventRow(decodeEvent(event), PLACE))
          const fields = [
            ...new Map(params.flatMap((name, i) => (i % 2 === 0 ? [[name, params[i + 1] as string]] : []))),
          ]
          const outcome = encodeOutcome({ ...OUTCOME, fields: fields.flat() as string[] })
          expect(quickRow('scenario_log', outcome)).toEqual(outcomeRow(decodeOutcome(outcome), PLACE))
        }
      }),
    )
  })

  it('gives the row that core gives, for every event', () => {
    fc.assert(
      fc.property(anyEvent, event => {
        const json = encodeEvent(event)
        const expected = eventRow(decodeEvent(json), PLACE)
        expect(quickRow('event_log', json) ?? expected).toEqual(expected)
      }),
      { numRuns: 500 },
    )
  })

  it('gives the row that core gives, for every outcome', () => {
    fc.assert(
      fc.property(anyOutcome, outcome => {
        const json = encodeOutcome(outcome)
        // From the fields as they were encoded: `decodeOutcome` puts names that are numbers first.
        const expected = outcomeRow({ ...decodeOutcome(json), fields: outcome.fields }, PLACE)
        expect(quickRow('scenario_log', json) ?? expected).toEqual(expected)
      }),
      { numRuns: 500 },
    )
  })

  it('reads what core writes without help', () => {
    expect(quickRow('event_log', encodeEvent(EVENT))).toEqual(eventRow(EVENT, PLACE))
    const outcome: Outcome = {
      eventId: 'e-1',
      scenarioId: 5,
      scenarioVersion: 3,
      judgingVersion: 2,
      success: 1,
      date: EVENT.date,
      receivedAt: EVENT.receivedAt,
      fields: ['memberId', '123456', 'h', '12', '_id', '0dc813c4cde7f430', 'age', '31'],
    }
    expect(quickRow('scenario_log', encodeOutcome(outcome))).toEqual(outcomeRow(outcome, PLACE))
  })

  it('puts the last value of a repeated name into its column', () => {
    expect(withParams('e_c', 'first', 'e_c', 'last')).toMatchObject({ e_c: 'last', params: null })
    expect(withParams('x', '1', 'y', '2', 'x', '3')).toMatchObject({ params: '{"x":"3","y":"2"}' })
  })

  it('leaves out of params only what a column says word for word', () => {
    const same = ['_id', EVENT.visitorId as string, 'memberId', '123456', 'idsite', '1', 'hw_id', 'e-1']
    expect(withParams(...same)).toMatchObject({ params: null })
    expect(withParams('idsite', '01', 'uid', '123456', 'hw_id', 'other')).toMatchObject({
      params: '{"idsite":"01","uid":"123456","hw_id":"other"}',
    })
  })

  it('turns lone surrogates into U+FFFD and keeps NUL and pairs', () => {
    expect(withParams('e_n', '\ud800', 'x', 'a\ud800\u0000"\\\n\u0001', 'e_c', '\u0000', 'e_a', '😀')).toMatchObject({
      e_n: '\ufffd',
      e_c: '\u0000',
      e_a: '😀',
      params: '{"x":"a\ufffd\\u0000\\"\\\\\\n\\u0001"}',
    })
  })

  it('knows the last millisecond of every day of a year', () => {
    for (let day = 0; day < 366; day++) {
      const date = Date.UTC(2024, 0, 1 + day) - 1
      const json = encodeEvent({ ...EVENT, date, receivedAt: date + 1 })
      const expected = eventRow(decodeEvent(json), PLACE)
      expect(quickRow('event_log', json) ?? expected).toEqual(expected)
    }
  })

  it.each([
    ['nothing', ''],
    ['no object', '[]'],
    ['a cut record', encodeEvent(EVENT).slice(0, -1)],
    ['more than one', `${encodeEvent(EVENT)}{}`],
    ['an unknown field', encodeEvent(EVENT).replace('{', '{"x":"1",')],
    ['a missing field', encodeEvent(EVENT).replace('"ip"', '"pi"')],
    ['another order of time', encodeEvent(EVENT).replace('2025-06-18T', '18-06-2025T')],
    ['a day that no month has', encodeEvent(EVENT).replace('2025-06-18T03:50:10.123', '2025-06-31T03:50:10.123')],
    ['an odd list', encodeEvent(EVENT).replace('"x","1"', '"x"')],
    ['a number in the list', encodeEvent(EVENT).replace('"x","1"', '"x",1')],
    ['white space', encodeEvent(EVENT).replace(',', ', ')],
    ['a raw control character', encodeEvent(EVENT).replace('e-1', 'e\n1')],
    ['a bad escape', encodeEvent(EVENT).replace('e-1', 'e\\x1')],
    ['a huge number', encodeEvent({ ...EVENT, siteId: 2 ** 60 })],
    ['a fraction', encodeEvent({ ...EVENT, siteId: 1.5 })],
  ])('leaves %s to the general way', (_, json) => {
    expect(quickRow('event_log', json)).toBeUndefined()
  })

  it('never throws on hostile bytes', () => {
    const json = encodeEvent(EVENT)
    fc.assert(
      fc.property(fc.nat(json.length), fc.string({ unit: 'binary', maxLength: 5 }), fc.nat(8), (at, put, cut) => {
        const changed = json.slice(0, at) + put + json.slice(at + cut)
        const row = quickRow('event_log', changed)
        if (row !== undefined) expect(row).toEqual(eventRow(decodeEvent(changed), PLACE))
      }),
      { numRuns: 3000 },
    )
  })
})
