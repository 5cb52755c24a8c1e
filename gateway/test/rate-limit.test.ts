import { expect, it } from 'vitest'
import { RateLimit, rateKey } from '../src/rate-limit.ts'

it('A client may send a burst of twice the rate, then the rate, and no other client pays for it', () => {
  const limit = new RateLimit(10, 2)
  const allowed = (client: string, count: number, now: number): number =>
    Array.from({ length: count }, () => limit.allows(client, now)).filter(Boolean).length
  expect(allowed('a', 50, 1000)).toBe(20)
  expect(allowed('a', 50, 1500)).toBe(5)
  expect(allowed('b', 1, 1500)).toBe(1)
  expect(allowed('a', 50, 60_000)).toBe(20)
})

it('A clock that is set back refills nothing and locks nobody out for longer', () => {
  const limit = new RateLimit(1, 2)
  expect([limit.allows('a', 5000), limit.allows('a', 5000), limit.allows('a', 1000)]).toEqual([true, true, false])
  expect(limit.allows('a', 2000)).toBe(true)
})

it('A rate below one a second lets the first request through', () => {
  const limit = new RateLimit(0.1, 2)
  expect([limit.allows('a', 0), limit.allows('a', 0), limit.allows('a', 10_000)]).toEqual([true, false, true])
})

it('Many clients are forgotten, not kept', () => {
  const limit = new RateLimit(1, 2)
  for (let i = 0; i < 250_000; i++) limit.allows(`c${i}`, 0)
  expect(limit.size).toBeLessThanOrEqual(200_000)
})

it('A client is an IPv4 address, or all addresses of an IPv6 /64', () => {
  expect(rateKey('203.0.113.7')).toBe('203.0.113.7')
  expect(rateKey('2001:db8:1:2::3')).toBe(rateKey('2001:db8:1:2:ffff:ffff:ffff:ffff'))
  expect(rateKey('2001:db8:1:2::3')).not.toBe(rateKey('2001:db8:1:3::3'))
  expect(rateKey('::1')).toBe(rateKey('::2'))
  expect(rateKey('no address')).toBe('no address')
})
