import fc from 'fast-check'
import type { KafkaMessage } from 'kafkajs'
import { expect, it } from 'vitest'
import { nextMessages } from '../../src/kafka/next-messages.ts'

/** A fetched batch that begins at `first`; each message lies `gap` offsets behind the one before, `tail` offsets follow. */
function batchOf(first: number, sizes: readonly (readonly [gap: number, bytes: number])[], tail: number) {
  let offset = first - 1
  const messages = sizes.map(([gap, bytes]) => {
    offset += gap
    return { offset: String(offset), value: Buffer.alloc(bytes) } as unknown as KafkaMessage
  })
  return { messages, firstOffset: () => String(first), lastOffset: () => String(offset + tail) }
}

const anyBatch = fc.record({
  first: fc.nat(1000),
  sizes: fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(50)), { minLength: 1, maxLength: 40 }),
  tail: fc.nat(3),
})

it('hands over every message once, in order, and never more than the limits but for a single one', () => {
  fc.assert(
    fc.property(anyBatch, fc.integer({ min: 1, max: 9 }), fc.nat(120), ({ first, sizes, tail }, records, bytes) => {
      const batch = batchOf(first, sizes, tail)
      const seen: KafkaMessage[] = []
      let position = first
      for (;;) {
        const next = nextMessages(batch, position, { maxBatchBytes: bytes, maxBatchRecords: records })
        if (next === undefined) break
        expect(next.to).toBeGreaterThan(position)
        expect(next.messages.length).toBeLessThanOrEqual(records)
        if (next.messages.length > 1)
          expect(next.messages.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)).toBeLessThanOrEqual(bytes)
        seen.push(...next.messages)
        position = next.to
      }
      expect(seen).toEqual(batch.messages)
      expect(position).toBe(Number(batch.lastOffset()) + 1)
    }),
  )
})

it('begins at any position within, also where no message stands, and has nothing outside', () => {
  fc.assert(
    fc.property(anyBatch, fc.integer({ min: -5, max: 130 }), ({ first, sizes, tail }, from) => {
      const batch = batchOf(first, sizes, tail)
      const position = first + from
      const next = nextMessages(batch, position, { maxBatchBytes: 1e9, maxBatchRecords: 1e9 })
      if (from < 0 || position > Number(batch.lastOffset())) expect(next).toBeUndefined()
      else expect(next?.messages).toEqual(batch.messages.filter(({ offset }) => Number(offset) >= position))
    }),
  )
})
