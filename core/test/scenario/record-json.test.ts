import {
  decodeEvent,
  decodeOutcome,
  type Event,
  encodeEvent,
  encodeOutcome,
  isoDate,
  isReservedName,
  type Outcome,
  parseIsoDate,
  RESERVED_NAMES,
  RecordError,
} from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sampleEvent } from './sample-event.ts'

/** Any text, with names that are hostile to objects among them. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('__proto__', 'constructor', 'toString', '"', '\\', '\n', '\u2028', '0', '1', '', '고면할당하기'),
)
const optionalText = fc.option(text, { nil: undefined })
const number = fc.option(fc.integer({ min: 1, max: 2 ** 31 - 1 }), { nil: undefined })
const date = fc.integer({ min: 0, max: 253_402_300_799_999 })

const anyEvent: fc.Arbitrary<Event> = fc.record({
  eventId: text,
  scenarioId: number,
  siteId: number,
  receivedAt: date,
  date,
  visitorId: optionalText,
  memberId: optionalText,
  ip: text,
  userAgent: text,
  params: fc.array(fc.tuple(text, text), { maxLength: 12 }).map(pairs => pairs.flat()),
})

/** Names that are no whole numbers: objects put those first, whatever their order was. */
const fieldName = text.filter(name => !isReservedName(name) && !/^\d+$/.test(name))
const anyOutcome: fc.Arbitrary<Outcome> = fc.record({
  eventId: text,
  scenarioId: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  scenarioVersion: fc.nat(),
  judgingVersion: fc.nat(),
  success: fc.constantFrom(0 as const, 1 as const),
  date,
  receivedAt: date,
  fields: fc
    .uniqueArray(fc.tuple(fieldName, text), { selector: ([name]) => name, maxLength: 8 })
    .map(pairs => pairs.flat()),
})

describe('the record of event-log', () => {
  test('gives back every event, whatever its texts hold', () => {
    fc.assert(
      fc.property(anyEvent, event => {
        const json = encodeEvent(event)
        expect(json).not.toContain('\n')
        expect(decodeEvent(json)).toEqual(event)
      }),
    )
  })

  test('keeps repeated and hostile names in their order', () => {
    const params = ['__proto__', 'a', '2', 'b', '1', 'c', '__proto__', 'd', 'toString', 'e']
    expect(decodeEvent(encodeEvent(sampleEvent(params))).params).toEqual(params)
  })

  test('is plain JSON that others can read', () => {
    const event = sampleEvent(['e_n', '고면할당하기'], { siteId: 7, memberId: '123456' })
    expect(JSON.parse(encodeEvent(event))).toEqual({
      event_id: event.eventId,
      scenario_id: 5,
      site_id: 7,
      date: '2025-06-18T03:50:10.123Z',
      received_at: '2025-06-18T03:50:10.456Z',
      visitor_id: '0dc813c4cde7f430',
      member_id: '123456',
      ip: '203.0.113.0',
      user_agent: event.userAgent,
      params: ['e_n', '고면할당하기'],
    })
  })

  test.each(['', 'x', 'null', '[]', '{}', '{"event_id":1}', encodeEvent(sampleEvent(['a', 'b'])).replace('"b"', '1')])(
    '%j is answered with BAD_RECORD',
    json => {
      expect(() => decodeEvent(json)).toThrow(RecordError)
    },
  )
})

describe('the record of scenario-log', () => {
  test('gives back every outcome', () => {
    fc.assert(
      fc.property(anyOutcome, outcome => {
        const json = encodeOutcome(outcome)
        expect(json).not.toContain('\n')
        expect(decodeOutcome(json)).toEqual(outcome)
      }),
    )
  })

  test('is flat as in the seeds', () => {
    const outcome: Outcome = {
      eventId: 'e1',
      scenarioId: 5,
      scenarioVersion: 3,
      judgingVersion: 2,
      success: 1,
      date: Date.UTC(2025, 5, 18, 3, 50, 10, 7),
      receivedAt: Date.UTC(2025, 5, 18, 3, 50, 11),
      fields: ['memberId', '123456', 'h', '12'],
    }
    expect(encodeOutcome(outcome)).toBe(
      '{"memberId":"123456","h":"12","success":1,"scenario_id":5,"date":"2025-06-18T03:50:10.007Z","event_id":"e1",' +
        '"scenario_version":3,"judging_version":2,"received_at":"2025-06-18T03:50:11.000Z"}',
    )
  })

  test('no kept field overwrites what the outcome itself says', () => {
    const fields = RESERVED_NAMES.flatMap(name => [name, 'forged'])
    const outcome: Outcome = {
      eventId: 'e1',
      scenarioId: 5,
      scenarioVersion: 3,
      judgingVersion: 2,
      success: 0,
      date: 1000,
      receivedAt: 2000,
      fields,
    }
    const record = JSON.parse(encodeOutcome(outcome))
    expect(record).toMatchObject({
      success: 0,
      scenario_id: 5,
      event_id: 'e1',
      scenario_version: 3,
      judging_version: 2,
    })
    expect(record['event.success']).toBe('forged')
    expect(decodeOutcome(encodeOutcome(outcome))).toEqual({
      ...outcome,
      fields: RESERVED_NAMES.flatMap(name => [`event.${name}`, 'forged']),
    })
  })

  test('keeps __proto__ as an ordinary name', () => {
    const json =
      '{"__proto__":"x","success":1,"scenario_id":5,"date":"2025-06-18T03:50:10.007Z","event_id":"e1",' +
      '"scenario_version":3,"judging_version":2,"received_at":"2025-06-18T03:50:11.000Z"}'
    expect(decodeOutcome(json).fields).toEqual(['__proto__', 'x'])
    expect(encodeOutcome(decodeOutcome(json))).toBe(json)
  })

  test.each(['{', '[]', '{"success":2}', '{"success":1,"scenario_id":"5"}'])('%j is answered with BAD_RECORD', json => {
    expect(() => decodeOutcome(json)).toThrow(/^BAD_RECORD: .*Found: /)
  })
})

describe('isoDate', () => {
  test('equals Date.toISOString and is read back', () => {
    fc.assert(
      fc.property(fc.array(date, { maxLength: 4 }), dates => {
        for (const ms of dates) {
          expect(isoDate(ms)).toBe(new Date(ms).toISOString())
          expect(parseIsoDate(isoDate(ms))).toBe(ms)
        }
      }),
    )
  })

  test('always gives a date that can be read, also for numbers that are none', () => {
    expect(isoDate(Number.NaN)).toBe('1970-01-01T00:00:00.000Z')
    expect(isoDate(-1)).toBe('1970-01-01T00:00:00.000Z')
    expect(isoDate(Number.POSITIVE_INFINITY)).toBe('9999-12-31T23:59:59.999Z')
    expect(isoDate(1.9)).toBe('1970-01-01T00:00:00.001Z')
  })

  test.each(['', 'yesterday', '2025-13-01T00:00:00.000Z', '2025-06-18T03:50:10.0x7Z'])('%j is no date', found => {
    expect(parseIsoDate(found)).toBeNaN()
  })

  test('other forms of ISO 8601 are read too', () => {
    expect(parseIsoDate('2025-06-18T12:50:10+09:00')).toBe(Date.UTC(2025, 5, 18, 3, 50, 10))
  })
})
