import { DuplicateWindow } from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** The definition, written down as it is said: a list of (id, log time) that is searched from the end. */
class NaiveWindow {
  readonly #accepted: { id: string; second: number }[] = []
  #logSecond = Number.NEGATIVE_INFINITY
  readonly #windowMs: number
  readonly #maxIds: number

  constructor(windowMs: number, maxIds: number) {
    this.#windowMs = windowMs
    this.#maxIds = maxIds
  }

  seen(high: number, low: number, receivedAt: number): boolean {
    const second = Math.floor(receivedAt / 1000)
    if (second > this.#logSecond) this.#logSecond = second
    const id = `${high}:${low}`
    const held = this.held()
    if (held.some(entry => entry.id === id)) return true
    this.#accepted.push({ id, second: this.#logSecond })
    return false
  }

  held() {
    const oldest = this.#logSecond - Math.floor(this.#windowMs / 1000)
    return this.#accepted.slice(-this.#maxIds).filter(entry => entry.second >= oldest)
  }
}

// Few ids, so that they repeat; times that mostly rise, sometimes fall back, sometimes leap.
const step = fc.record({
  high: fc.integer({ min: 0, max: 2 }),
  low: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constant(0xffffffff)),
  advanceMs: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 900 }) },
    { weight: 2, arbitrary: fc.integer({ min: -20_000, max: 0 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 30_000 }) },
  ),
})

describe('DuplicateWindow', () => {
  it('answers as a naive list does, whatever the order of times', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 400 }),
        fc.integer({ min: 0, max: 12_000 }),
        fc.integer({ min: 1, max: 40 }),
        (steps, windowMs, maxIds) => {
          const window = new DuplicateWindow({ windowMs, maxIds })
          const naive = new NaiveWindow(windowMs, maxIds)
          let now = 1_750_000_000_000
          for (const { high, low, advanceMs } of steps) {
            now += advanceMs
            expect(window.seen(high, low, now)).toBe(naive.seen(high, low, now))
            expect(window.stats().size).toBe(naive.held().length)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('answers as a naive set does while it grows and wraps many times', () => {
    const window = new DuplicateWindow({ windowMs: 100_000, maxIds: 5_000 })
    const accepted: number[] = []
    const at = new Map<number, number>()
    let random = 12345
    for (let i = 0; i < 60_000; i++) {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0
      const low = random >>> 18
      const last = at.get(low)
      const expected = last !== undefined && last >= accepted.length - 5_000
      expect(window.seen(7, low, 1_000_000 + i)).toBe(expected)
      if (!expected) {
        at.set(low, accepted.length)
        accepted.push(low)
      }
    }
    expect(window.stats().size).toBe(5_000)
  })

  it('finds a repeat of exactly the window, and none a second later', () => {
    const inside = new DuplicateWindow({ windowMs: 86_400_000, maxIds: 10 })
    expect(inside.seen(1, 1, 1_000_000)).toBe(false)
    expect(inside.seen(1, 1, 1_000_000 + 86_400_000)).toBe(true)
    expect(inside.seen(1, 1, 1_000_000 + 86_401_000)).toBe(false)
    expect(inside.seen(1, 1, 1_000_000 + 86_401_000)).toBe(true)
  })

  it('does not prolong an id by its repeats', () => {
    const window = new DuplicateWindow({ windowMs: 10_000, maxIds: 10 })
    expect(window.seen(1, 1, 0)).toBe(false)
    expect(window.seen(1, 1, 9_000)).toBe(true)
    expect(window.seen(1, 1, 11_000)).toBe(false)
  })

  it('goes by the running maximum of time: a late record does not bring old ids back', () => {
    const window = new DuplicateWindow({ windowMs: 10_000, maxIds: 10 })
    expect(window.seen(1, 1, 0)).toBe(false)
    expect(window.seen(2, 2, 20_000)).toBe(false)
    expect(window.seen(1, 1, 1_000)).toBe(false)
    expect(window.seen(1, 1, 30_000)).toBe(true)
  })

  it('gives the same answers when it is rebuilt from the accepted ids', () => {
    const whole = new DuplicateWindow({ windowMs: 5_000, maxIds: 100 })
    const rebuilt = new DuplicateWindow({ windowMs: 5_000, maxIds: 100 })
    const ids = Array.from({ length: 500 }, (_, i) => ({ low: (i * 7919) % 83, at: i * 100 }))
    for (const { low, at } of ids.slice(0, 400)) if (!whole.seen(0, low, at)) rebuilt.seen(0, low, at)
    for (const { low, at } of ids.slice(400)) expect(rebuilt.seen(0, low, at)).toBe(whole.seen(0, low, at))
  })

  it('says how far back a repeat is surely found', () => {
    const window = new DuplicateWindow({ windowMs: 60_000, maxIds: 3 })
    expect(window.stats()).toMatchObject({ size: 0, oldestAgeMs: 0, windowInForceMs: 60_000 })
    for (const second of [1, 2, 3, 4]) window.seen(0, second, second * 1000)
    expect(window.stats()).toMatchObject({ size: 3, oldestAgeMs: 2_000, windowInForceMs: 2_000 })
  })

  it('takes times that are no times', () => {
    const window = new DuplicateWindow({ windowMs: 1_000, maxIds: 4 })
    for (const time of [Number.NaN, Number.NEGATIVE_INFINITY, -5e15]) {
      expect(() => window.seen(0, 1, time)).not.toThrow()
    }
    expect(window.seen(0, 9, 10_000)).toBe(false)
    expect(window.seen(0, 9, Number.NaN)).toBe(true)
  })

  it('refuses options that make no window', () => {
    expect(() => new DuplicateWindow({ windowMs: -1, maxIds: 1 })).toThrow('Found: -1')
    expect(() => new DuplicateWindow({ windowMs: 1, maxIds: 0 })).toThrow('Found: 0')
  })

  it('holds 4 000 000 ids in at most 64 MB', () => {
    const maxIds = 4_000_000
    const window = new DuplicateWindow({ windowMs: 86_400_000, maxIds })
    // One more id than fits, spread over the day.
    for (let i = 0; i <= maxIds; i++) window.seen(Math.imul(i, 0x9e3779b1) >>> 0, i, i * 21)
    const { size, bytes } = window.stats()
    expect(size).toBe(maxIds)
    expect(bytes).toBeLessThanOrEqual(64_000_000)
    expect(window.seen(Math.imul(1, 0x9e3779b1) >>> 0, 1, maxIds * 21)).toBe(true)
    expect(window.seen(0, 0, maxIds * 21)).toBe(false)
  })
})
