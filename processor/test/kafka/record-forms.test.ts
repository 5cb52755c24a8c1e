import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countIds, decodeIdRecord, encodeIdRecord } from '../../src/kafka/id-record.ts'
import { cutRecords, type OutRecord } from '../../src/kafka/judged-records.ts'
import { decodeOrderKey, orderKeyText } from '../../src/kafka/order-key-header.ts'
import { deal, type MemberClaim } from '../../src/kafka/sticky-assigner.ts'
import { judgedBatch } from '../contracts/judged-batch.ts'

const whole = fc.nat({ max: Number.MAX_SAFE_INTEGER })

describe('the order key header', () => {
  test('comes back as it was written', () => {
    fc.assert(
      fc.property(fc.nat(), whole, fc.nat(), fc.nat(), (generation, position, index, scenarioId) => {
        const text = orderKeyText(generation, position, index, scenarioId)
        expect(decodeOrderKey(Buffer.from(text))).toEqual({ generation, position, index, scenarioId })
      }),
    )
  })

  test.each(['', '1', '1.2.3', '1.2.3.', '.1.2.3', '1..2.3', '1.2.3.4.5', '1.2.3.x', '-1.2.3.4'])(
    'is not read from %j',
    text => {
      expect(decodeOrderKey(Buffer.from(text))).toBeUndefined()
    },
  )
})

test('ids come back as they were written, and anything else is none', () => {
  const { events, from, to, arrivedAt } = judgedBatch({ outcomes: [0, 1, 2], deadLetters: 0, text: '' }, 300, 1_700_000)
  const bytes = encodeIdRecord(3, from, to, arrivedAt, events)
  expect(countIds(bytes)).toBe(3)
  expect(decodeIdRecord(bytes)).toEqual({
    generation: 3,
    from,
    to,
    arrivedAt,
    high: Uint32Array.from(events.map(({ idHigh }) => idHigh)),
    low: Uint32Array.from(events.map(({ idLow }) => idLow)),
    receivedAt: Float64Array.from(events.map(({ event }) => event.receivedAt)),
  })
  for (const bad of [Buffer.alloc(0), Buffer.from('x'), bytes.subarray(0, 40), Buffer.from([2, ...bytes.subarray(1)])])
    expect(decodeIdRecord(bad)).toBeUndefined()
})

test('records are cut below the limit, and inside a line only when the line is longer than that', () => {
  const lines = fc.array(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }), { maxLength: 20 })
  fc.assert(
    fc.property(lines, fc.integer({ min: 10, max: 100 }), (sizes, maxBytes) => {
      const records = sizes.flatMap((line, position) =>
        line.map((bytes, index): OutRecord => ({ record: { value: '' }, bytes, position, index })),
      )
      const series = cutRecords(records, maxBytes)
      expect(series.flat()).toEqual(records)
      const sum = (some: readonly OutRecord[]): number => some.reduce((total, { bytes }) => total + bytes, 0)
      for (const [i, some] of series.entries()) {
        expect(some.length === 1 || sum(some) <= maxBytes).toBe(true)
        const last = some.at(-1)!.position
        if (series[i + 1]?.[0]?.position !== last) continue
        expect(sum(records.filter(({ position }) => position === last))).toBeGreaterThan(maxBytes)
      }
    }),
    { numRuns: 500 },
  )
})

describe('the sticky assigner', () => {
  const claim = (name: string, owned: Record<string, number> = {}): MemberClaim => ({
    memberId: `id-${name}`,
    name,
    owned,
  })
  const dealt = (count: number, ...claims: MemberClaim[]): Record<string, number[]> => {
    const partitions = Array.from({ length: count }, (_, i) => i)
    const byMember = [...deal(partitions, claims)].map(([id, held]) => [id.slice(3), held.sort((a, b) => a - b)])
    return Object.fromEntries(byMember)
  }

  test('leaves everything where it is when nothing need move', () => {
    expect(dealt(4, claim('b', { 0: 5, 1: 5 }), claim('a', { 2: 5, 3: 5 }))).toEqual({ b: [0, 1], a: [2, 3] })
  })

  test('takes from those who hold too many what they got last', () => {
    const a = claim('a', { 0: 1, 1: 1, 3: 9 })
    const c = claim('c', { 2: 1, 4: 9, 5: 1 })
    expect(dealt(6, a, c, claim('b'))).toEqual({ a: [0, 1], c: [2, 5], b: [3, 4] })
  })

  test('gives a partition that two claim to the later claim', () => {
    expect(dealt(2, claim('a', { 0: 1, 1: 2 }), claim('b', { 1: 7 }))).toEqual({ a: [0], b: [1] })
  })

  test('deals every partition out once and evenly, whatever is claimed', () => {
    const owned = fc.dictionary(fc.nat({ max: 12 }).map(String), fc.nat({ max: 9 }))
    fc.assert(
      fc.property(fc.nat({ max: 12 }), fc.array(owned, { minLength: 1, maxLength: 6 }), (count, claims) => {
        const held = Object.values(dealt(count, ...claims.map((each, i) => claim(`m${i}`, each))))
        expect(held.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i))
        const sizes = held.map(({ length }) => length)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      }),
    )
  })
})
