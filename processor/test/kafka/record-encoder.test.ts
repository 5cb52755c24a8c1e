import { createRequire } from 'node:module'
import fc from 'fast-check'
import type { Message } from 'kafkajs'
import { expect, test } from 'vitest'
import { EncodedRecords } from '../../src/kafka/encoded-records.ts'
import { gzipRecords, useGzipCodec } from '../../src/kafka/gzip-codec.ts'
import { encodeRecords, type OutgoingRecord, recordBytes } from '../../src/kafka/record-encoder.ts'

// The client's own encoder of requests, and the decoder of batches that its consumers use.
const require = createRequire(import.meta.url)
const produce = require('kafkajs/src/protocol/requests/produce/v7/request')
const Decoder = require('kafkajs/src/protocol/decoder')
const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder')
const crc32C = require('kafkajs/src/protocol/recordBatch/crc32C')

const GZIP = 1
const TIMESTAMP = 1_760_000_000_123
useGzipCodec()

interface Decoded {
  firstSequence: number
  lastOffsetDelta: number
  producerId: string
  producerEpoch: number
  maxTimestamp: string
  records: { offset: string; timestamp: string; key: Buffer | null; value: Buffer; headers: Record<string, Buffer> }[]
}

/** The batch inside the produce request that the client makes of `messages`; throws when the checksum is another one. */
async function requested(messages: Message[]): Promise<Decoded> {
  const partitions = [{ partition: 3, messages, firstSequence: 77 }]
  const topicData = [{ topic: 'a-topic', partitions }]
  const request = produce({ acks: -1, timeout: 1, compression: GZIP, producerId: '5', producerEpoch: 2, topicData })
  const decoder = new Decoder((await request.encode()).buffer)
  decoder.readString()
  decoder.readInt16()
  decoder.readInt32()
  decoder.readInt32()
  decoder.readString()
  decoder.readInt32()
  expect(decoder.readInt32()).toBe(3)
  const batch: Buffer = decoder.readBytes(decoder.readInt32())
  expect(crc32C(batch.subarray(21))).toBe(batch.readUInt32BE(17))
  return decodeBatch(new Decoder(batch))
}

const text = (maxLength: number) => fc.uint8Array({ maxLength }).map(bytes => Buffer.from(bytes).toString('latin1'))
const bytes = fc.uint8Array({ maxLength: 9_000 }).map(some => Buffer.from(some))
const outgoing = fc
  .record({
    key: fc.option(text(80), { nil: undefined }),
    value: fc.oneof(text(300), bytes),
    header: fc.option(fc.record({ name: fc.constantFrom('k', 'cut', 'n'.repeat(70)), value: text(100) }), {
      nil: undefined,
    }),
  })
  .map(record => record as OutgoingRecord)

test('the client sends what was encoded, and its decoder finds every record as it was', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(outgoing, { minLength: 1, maxLength: 200 }), async records => {
      const packed = await gzipRecords(encodeRecords(records))
      const batch = await requested(new EncodedRecords(3, packed, records.length, TIMESTAMP).asMessages())
      expect(batch).toMatchObject({
        firstSequence: 77,
        lastOffsetDelta: records.length - 1,
        producerId: '5',
        producerEpoch: 2,
        maxTimestamp: String(TIMESTAMP),
      })
      expect(batch.records).toHaveLength(records.length)
      for (const [i, { key, value, header }] of records.entries()) {
        const found = batch.records[i]!
        expect(found.offset).toBe(String(i))
        expect(found.timestamp).toBe(String(TIMESTAMP))
        expect(found.key?.toString('latin1')).toBe(key)
        expect(found.value.equals(typeof value === 'string' ? Buffer.from(value, 'latin1') : value)).toBe(true)
        const headers = Object.entries(found.headers).map(([name, each]) => [name, each.toString('latin1')])
        expect(headers).toEqual(header === undefined ? [] : [[header.name, header.value]])
      }
    }),
    { numRuns: 60 },
  )
})

test('records are the bytes that the client itself makes of them', async () => {
  const values = ['', 'x', 'y'.repeat(63), 'z'.repeat(64), 'long'.repeat(4_000)]
  const records = values.map(
    (value, i): OutgoingRecord => ({ key: `key ${i}`, value, header: { name: 'k', value: '1' } }),
  )
  const messages = values.map((value, i) => ({
    key: `key ${i}`,
    value,
    headers: { k: '1' },
    timestamp: String(TIMESTAMP),
  }))
  const packed = await gzipRecords(encodeRecords(records))
  const ours = await requested(new EncodedRecords(3, packed, records.length, TIMESTAMP).asMessages())
  expect(ours).toEqual(await requested(messages))
})

test('no record is longer than was said', () => {
  fc.assert(
    fc.property(outgoing, record => {
      const { length } = encodeRecords([record])
      expect(length).toBeLessThanOrEqual(recordBytes(record))
      expect(recordBytes(record) - length).toBeLessThan(40)
    }),
  )
})
