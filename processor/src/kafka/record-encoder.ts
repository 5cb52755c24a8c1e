import type { ByteString } from '@headwater/core'

/*
 * One record inside a record batch of magic 2 (Apache Kafka, `org.apache.kafka.common.record.DefaultRecord`):
 *
 *   Record => length attributes timestampDelta offsetDelta keyLength key valueLength value headersCount [Header]
 *     length, offsetDelta, keyLength, valueLength, headersCount   varint
 *     attributes       int8      0
 *     timestampDelta   varlong   0: all records of a batch have its timestamp
 *     keyLength        −1: no key
 *   Header => nameLength name valueLength value
 *     nameLength, valueLength   varint
 *
 *   varint => zigzag (0, −1, 1, −2 … as 0, 1, 2, 3 …), then seven bits a byte, the lowest first, all but the last with 0x80
 */

/** One record on its way to a partition. Texts are one byte a character. */
export interface OutgoingRecord {
  key?: ByteString
  value: Uint8Array | ByteString
  header?: { readonly name: ByteString; readonly value: ByteString }
}

/** Longest varint of 32 bits. */
const MAX_VARINT_BYTES = 5
/** Up to here a loop is faster than a call of Node's. */
const SHORT = 32

/**
 * How many bytes a record takes, a few more at most: key, value and header besides five lengths, two deltas and attributes.
 */
export function recordBytes({ key, value, header }: OutgoingRecord): number {
  const headerBytes = header === undefined ? 0 : header.name.length + header.value.length + 2 * MAX_VARINT_BYTES
  return (key?.length ?? 0) + value.length + headerBytes + 5 * MAX_VARINT_BYTES + 2
}

/**
 * The records of one batch, one behind the other in one array. kafkajs has an object, two zeroed arrays of 512 bytes and a
 * dozen small ones for each record.
 */
export function encodeRecords(records: readonly OutgoingRecord[]): Buffer {
  let room = 0
  for (const record of records) room += recordBytes(record)
  const bytes = Buffer.allocUnsafe(room)
  let at = 0
  for (let i = 0; i < records.length; i++) at = append(bytes, at, records[i] as OutgoingRecord, i)
  return bytes.subarray(0, at)
}

function append(bytes: Buffer, start: number, { key, value, header }: OutgoingRecord, offsetDelta: number): number {
  const keyLength = key === undefined ? -1 : key.length
  let length = 2 + sizeOf(offsetDelta) + sizeOf(keyLength) + sizeOf(value.length) + value.length + 1
  if (key !== undefined) length += keyLength
  if (header !== undefined) {
    const { name, value: headed } = header
    length += sizeOf(name.length) + name.length + sizeOf(headed.length) + headed.length
  }
  let at = appendVarint(bytes, start, length)
  bytes[at++] = 0
  bytes[at++] = 0
  at = appendVarint(bytes, at, offsetDelta)
  at = appendVarint(bytes, at, keyLength)
  if (key !== undefined) at = appendText(bytes, at, key)
  at = appendVarint(bytes, at, value.length)
  if (typeof value === 'string') at = appendText(bytes, at, value)
  else {
    bytes.set(value, at)
    at += value.length
  }
  if (header === undefined) {
    bytes[at++] = 0
    return at
  }
  at = appendVarint(bytes, at, 1)
  at = appendText(bytes, appendVarint(bytes, at, header.name.length), header.name)
  return appendText(bytes, appendVarint(bytes, at, header.value.length), header.value)
}

function appendText(bytes: Buffer, at: number, text: ByteString): number {
  const { length } = text
  if (length > SHORT) bytes.write(text, at, 'latin1')
  else for (let i = 0; i < length; i++) bytes[at + i] = text.charCodeAt(i)
  return at + length
}

function appendVarint(bytes: Buffer, start: number, value: number): number {
  let at = start
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80
  bytes[at++] = rest
  return at
}

function sizeOf(value: number): number {
  const rest = ((value << 1) ^ (value >> 31)) >>> 0
  return rest < 0x80 ? 1 : rest < 0x4000 ? 2 : rest < 0x20_0000 ? 3 : rest < 0x1000_0000 ? 4 : 5
}
