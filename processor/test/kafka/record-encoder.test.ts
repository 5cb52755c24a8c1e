import { createRequire } from 'node:module'
import fc from 'fast-check'
import type { Message } from 'kafkajs'
import { expect, test } from 'vitest'
import { EncodedRecords } from '../../src/kafka/encoded-records.ts'
import { gzipRecords, useGzipCodec } from '../../src/kafka/gzip-codec.ts'
import { encodeRecords, recordBytes } from '../../src/kafka/record-encoder.ts'
import { outgoingRecord } from './outgoing-record.ts'

// The client's own encoder of requests, and the decoder of batches that its consumers use.
const require = createRequire(import.meta.url)
const produce = require('kafkajs/src/protocol/requests/produce/v7/request')
const Decoder = require('kafkajs/src/protocol/decoder')
const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder')
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0')
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

test('the client sends what was encoded, and its decoder finds every record as it was', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(outgoingRecord, { minLength: 1, maxLength: 200 }), async records => {
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

test('records are the bytes that the client itself makes of them', () => {
  fc.assert(
    fc.property(fc.array(outgoingRecord, { maxLength: 200 }), records => {
      const bytes = (text: string | Uint8Array): Buffer =>
        typeof text === 'string' ? Buffer.from(text, 'latin1') : Buffer.from(text)
      const theirs = records.map(({ key, value, header }, offsetDelta) => {
        const headers = header === undefined ? {} : { [header.name]: bytes(header.value) }
        return encodeRecord({ offsetDelta, key: key === undefined ? null : bytes(key), value: bytes(value), headers })
          .buffer
      })
      expect(encodeRecords(records).equals(Buffer.concat(theirs))).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('no record is longer than was said', () => {
  fc.assert(
    fc.property(outgoingRecord, record => {
      const { length } = encodeRecords([record])
      expect(length).toBeLessThanOrEqual(recordBytes(record))
      expect(recordBytes(record) - length).toBeLessThan(40)
    }),
  )
})
