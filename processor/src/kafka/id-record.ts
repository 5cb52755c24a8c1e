import type { IdBatch, JudgedEvent, Position } from '../ports.ts'

/*
 * The value of a record of event-ids: the ids of the accepted events of one input range. Little-endian, n ids.
 *
 *   0  u8   format 1
 *   1  3 ×  0
 *   4  u32  generation
 *   8  f64  input range: from
 *  16  f64  input range: to
 *  24  f64  arrivedAt of the input batch, Unix ms
 *  32  n × f64 receivedAt, n × u32 high, n × u32 low
 */
const FORMAT = 1
const HEAD_BYTES = 32
const BYTES_PER_ID = 16
/** 16 bytes each: well below any limit of a record. */
export const MAX_IDS_PER_RECORD = 32_768

export interface IdRecord extends IdBatch {
  generation: number
  from: Position
  arrivedAt: number
}

export function encodeIdRecord(
  generation: number,
  from: Position,
  to: Position,
  arrivedAt: number,
  events: readonly JudgedEvent[],
): Buffer {
  const n = events.length
  const bytes = Buffer.alloc(HEAD_BYTES + n * BYTES_PER_ID)
  bytes[0] = FORMAT
  bytes.writeUInt32LE(generation, 4)
  bytes.writeDoubleLE(from, 8)
  bytes.writeDoubleLE(to, 16)
  bytes.writeDoubleLE(arrivedAt, 24)
  for (let i = 0; i < n; i++) {
    const { event, idHigh, idLow } = events[i]!
    bytes.writeDoubleLE(event.receivedAt, HEAD_BYTES + i * 8)
    bytes.writeUInt32LE(idHigh, HEAD_BYTES + n * 8 + i * 4)
    bytes.writeUInt32LE(idLow, HEAD_BYTES + n * 12 + i * 4)
  }
  return bytes
}

/** How many ids a record's value holds; 0 when it is none of ours. */
export function countIds(bytes: Buffer): number {
  return bytes[0] === FORMAT && bytes.length >= HEAD_BYTES ? Math.floor((bytes.length - HEAD_BYTES) / BYTES_PER_ID) : 0
}

/** `undefined` when the bytes are no such record. */
export function decodeIdRecord(bytes: Buffer): IdRecord | undefined {
  const n = (bytes.length - HEAD_BYTES) / BYTES_PER_ID
  if (bytes[0] !== FORMAT || !Number.isInteger(n) || n < 0) return undefined
  const high = new Uint32Array(n)
  const low = new Uint32Array(n)
  const receivedAt = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    receivedAt[i] = bytes.readDoubleLE(HEAD_BYTES + i * 8)
    high[i] = bytes.readUInt32LE(HEAD_BYTES + n * 8 + i * 4)
    low[i] = bytes.readUInt32LE(HEAD_BYTES + n * 12 + i * 4)
  }
  return {
    generation: bytes.readUInt32LE(4),
    from: bytes.readDoubleLE(8),
    to: bytes.readDoubleLE(16),
    arrivedAt: bytes.readDoubleLE(24),
    high,
    low,
    receivedAt,
  }
}
