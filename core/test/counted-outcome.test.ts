import { decodeOutcome, encodeOutcome, type Outcome, RESERVED_NAMES, readCountedOutcome } from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** Text that tries to look like the record's own fields. */
const hostileText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '"success":1,',
    '"success',
    'success',
    '","scenario_version":7,"judging_version":9',
    ',"date":"2020-01-01T00:00:00.000Z"',
    '\\',
    '"}',
    ...RESERVED_NAMES,
  ),
)

const outcome: fc.Arbitrary<Outcome> = fc.record({
  eventId: hostileText,
  scenarioId: fc.integer({ min: 0, max: 1e9 }),
  scenarioVersion: fc.integer({ min: 1, max: 1e6 }),
  judgingVersion: fc.integer({ min: 1, max: 1e6 }),
  success: fc.constantFrom(0 as const, 1 as const),
  date: fc.integer({ min: 0, max: 4e12 }),
  receivedAt: fc.integer({ min: 0, max: 4e12 }),
  fields: fc.array(fc.tuple(hostileText, hostileText), { maxLength: 5 }).map(pairs => pairs.flat()),
})

const read = (json: string) => readCountedOutcome(new TextEncoder().encode(json))

describe('readCountedOutcome', () => {
  it('reads of any outcome what decodeOutcome reads', () => {
    fc.assert(
      fc.property(outcome, value => {
        const json = encodeOutcome(value)
        const { scenarioId, judgingVersion, success, date } = decodeOutcome(json)
        expect(read(json)).toEqual({ scenarioId, judgingVersion, success, date })
        expect({ scenarioId, success, date }).toEqual({
          scenarioId: value.scenarioId,
          success: value.success,
          date: value.date,
        })
      }),
      { numRuns: 500 },
    )
  })

  it('reads a record whose fields stand in another order, or with spaces', () => {
    const json = JSON.stringify(
      {
        received_at: '2026-06-18T12:00:00.000Z',
        judging_version: 2,
        scenario_version: 3,
        event_id: 'a',
        date: '2026-06-18T12:00:00.000Z',
        scenario_id: 5,
        success: 1,
      },
      null,
      1,
    )
    expect(read(json)).toEqual({
      scenarioId: 5,
      judgingVersion: 2,
      success: 1,
      date: Date.UTC(2026, 5, 18, 12),
    })
  })

  it.each([
    ['a date that is none', ',"received_at":"","success":0,"a":"x"}'],
    ['a second object', ',"received_at":"2026-06-18T12:00:00.000Z"},"y":{"z":"x"}'],
    ['a number with an exponent', 'e0,"received_at":"2026-06-18T12:00:00.000Z"}'],
  ])('reads as decodeOutcome does what another writer ends with %s', (_, end) => {
    const start = '{"success":1,"scenario_id":5,"date":"2026-06-18T12:00:00.000Z","event_id":"a","scenario_version":3'
    const json = `${start},"judging_version":2${end}`
    const answer = (of: () => unknown) => {
      try {
        return of()
      } catch (error) {
        return String(error)
      }
    }
    const whole = answer(() => {
      const { scenarioId, judgingVersion, success, date } = decodeOutcome(json)
      return { scenarioId, judgingVersion, success, date }
    })
    expect(answer(() => read(json))).toEqual(whole)
  })

  it.each(['', '{}', '[1]', 'nonsense', '{"success":1}', '{"success":1,"scenario_id":5,"date":"'])(
    'refuses %j as decodeOutcome does',
    json => {
      expect(() => read(json)).toThrow('BAD_RECORD')
    },
  )

  it('gives every cut of a record to decodeOutcome, which refuses it', () => {
    const json = encodeOutcome({
      eventId: 'abc',
      scenarioId: 5,
      scenarioVersion: 3,
      judgingVersion: 2,
      success: 1,
      date: 1.75e12,
      receivedAt: 1.75e12,
      fields: ['h', '9'],
    })
    for (let end = 0; end < json.length; end++) {
      expect(() => read(json.slice(0, end))).toThrow('BAD_RECORD')
    }
  })
})
