import { isTimeZone, zoneClock } from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

/** What Intl itself says, asked anew for each date. */
function intlClock(timezone: string): { hour(ms: number): number; weekday(ms: number): number } {
  const hour = new Intl.DateTimeFormat('en-US', { timeZone: timezone, hour: 'numeric', hourCycle: 'h23' })
  const weekday = new Intl.DateTimeFormat('en-US', { timeZone: timezone, weekday: 'short' })
  return { hour: ms => Number(hour.format(ms)), weekday: ms => DAYS.indexOf(weekday.format(ms)) + 1 }
}

const ZONES = [
  'UTC',
  'Asia/Seoul',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'America/St_Johns',
  'Africa/Casablanca',
  'Pacific/Apia',
]

describe('zoneClock', () => {
  test.each(ZONES)('%s agrees with Intl at any moment', timezone => {
    const clock = zoneClock(timezone)
    const intl = intlClock(timezone)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(2040, 0) }), ms => {
        expect([clock.hour(ms), clock.weekday(ms)]).toEqual([intl.hour(ms), intl.weekday(ms)])
      }),
      { numRuns: 200 },
    )
  })

  const NIGHTS: Array<[string, string, number]> = [
    ['Europe/Berlin, spring', 'Europe/Berlin', Date.UTC(2025, 2, 30)],
    ['Europe/Berlin, autumn', 'Europe/Berlin', Date.UTC(2025, 9, 26)],
    ['America/New_York, spring', 'America/New_York', Date.UTC(2025, 2, 9, 5)],
    ['America/New_York, autumn', 'America/New_York', Date.UTC(2025, 10, 2, 4)],
    ['Australia/Lord_Howe, half an hour in spring', 'Australia/Lord_Howe', Date.UTC(2025, 9, 4, 14)],
    ['Australia/Lord_Howe, half an hour in autumn', 'Australia/Lord_Howe', Date.UTC(2025, 3, 5, 14)],
    ['Pacific/Apia, which left out a day', 'Pacific/Apia', Date.UTC(2011, 11, 30, 8)],
  ]
  test.each(NIGHTS)(
    'the night of a change, minute by minute, forwards and backwards: %s',
    (_night, timezone, start) => {
      const clock = zoneClock(timezone)
      const intl = intlClock(timezone)
      const minutes = Array.from({ length: 5 * 60 }, (_, i) => start + i * 60_000)
      for (const ms of [...minutes, ...minutes.toReversed()]) {
        for (const moment of [ms - 1, ms]) {
          expect([clock.hour(moment), clock.weekday(moment)]).toEqual([intl.hour(moment), intl.weekday(moment)])
        }
      }
    },
  )

  test('two in the morning comes twice in Berlin in autumn and never in spring', () => {
    const { hour } = zoneClock('Europe/Berlin')
    expect([0, 1, 2].map(utc => hour(Date.UTC(2025, 9, 26, utc, 30)))).toEqual([2, 2, 3])
    expect([0, 1].map(utc => hour(Date.UTC(2025, 2, 30, utc, 30)))).toEqual([1, 3])
  })

  test('knows offsets of half and three quarter hours', () => {
    expect(zoneClock('Asia/Kathmandu').offsetMs(Date.UTC(2025, 0))).toBe(5.75 * 3_600_000)
    expect(zoneClock('America/St_Johns').offsetMs(Date.UTC(2025, 0))).toBe(-3.5 * 3_600_000)
  })

  test('a change between two boundaries of 15 minutes is no rounder than it was', () => {
    // Liberia was 44 minutes and 30 seconds behind until it went to Greenwich time at just that moment of the day.
    const change = Date.UTC(1972, 0, 7, 0, 44, 30)
    const { offsetMs } = zoneClock('Africa/Monrovia')
    expect(offsetMs(change - 870_000)).toBe(-2_670_000)
    expect([change - 1, change, change - 1, change + 30_000].map(offsetMs)).toEqual([-2_670_000, 0, -2_670_000, 0])
  })

  test('stays right when asked for more blocks than it remembers', () => {
    const clock = zoneClock('Europe/Berlin')
    const intl = intlClock('Europe/Berlin')
    for (let i = 0; i < 3000; i++) clock.hour(i * 15 * 60_000)
    for (let i = 0; i < 3000; i += 97) expect(clock.hour(i * 15 * 60_000)).toBe(intl.hour(i * 15 * 60_000))
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 9e15, -9e15])('%s is no date and gives NaN', ms => {
    const clock = zoneClock('Asia/Seoul')
    expect([clock.hour(ms), clock.weekday(ms), clock.offsetMs(ms)]).toEqual([Number.NaN, Number.NaN, Number.NaN])
  })

  test('a name that is no zone is refused with the name', () => {
    expect(() => zoneClock('Asia/Soul')).toThrow(/Asia\/Soul/)
    expect(['Asia/Seoul', 'UTC', 'Europe/Berlin'].map(isTimeZone)).toEqual([true, true, true])
    expect(['', 'Asia/Soul', '+09:00', ' UTC', 'KST+9', 'a'.repeat(10_000)].map(isTimeZone)).not.toContain(true)
  })
})
