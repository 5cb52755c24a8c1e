import { expect, it } from 'vitest'
import { RateLimit } from '../src/rate-limit.ts'

it('A client may send a burst of twice the rate, then the rate, and no other client pays for it', () => {
  const limit = new RateLimit(10)
  const allowed = (client: string, count: number, now: number): number =>
    Array.from({ length: count }, () => limit.allows(client, now)).filter(Boolean).length
  expect(allowed('a', 50, 1000)).toBe(20)
  expect(allowed('a', 50, 1500)).toBe(5)
  expect(allowed('b', 1, 1500)).toBe(1)
  expect(allowed('a', 50, 60_000)).toBe(20)
})

it('A clock that is set back refills nothing and locks nobody out for longer', () => {
  const limit = new RateLimit(1)
  expect([limit.allows('a', 5000), limit.allows('a', 5000), limit.allows('a', 1000)]).toEqual([true, true, false])
  expect(limit.allows('a', 2000)).toBe(true)
})

it('A rate below one a second lets the first request through', () => {
  const limit = new RateLimit(0.1)
  expect([limit.allows('a', 0), limit.allows('a', 0), limit.allows('a', 10_000)]).toEqual([true, false, true])
})

it('Many clients are forgotten, not kept', () => {
  const limit = new RateLimit(1)
  for (let i = 0; i < 250_000; i++) limit.allows(`c${i}`, 0)
  expect(limit.size).toBeLessThanOrEqual(200_000)
})
