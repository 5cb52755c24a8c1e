import type { IdBatch, JudgedBatch, LogWriter, PartitionId, Position } from '../ports.ts'
import { decodeIds } from './frame.ts'
import { SEGMENT_HEAD, SegmentFile, segmentDamaged } from './segment-file.ts'
import type { SegmentLog } from './segment-log.ts'

export interface SegmentLogWriterOptions {
  segments: SegmentLog
  /** `ids` leaves out the oldest segments when the later ones hold this many ids: what the duplicate window can take. */
  maxIds?: number
}

/**
 * `LogWriter` over segment files. A full or unwritable disk rejects `append` with a retryable STORE_UNAVAILABLE; the part
 * that was written is cut off again.
 */
export function segmentLogWriter({ segments, maxIds = Number.POSITIVE_INFINITY }: SegmentLogWriterOptions): LogWriter {
  return {
    position: (partition: PartitionId): Promise<Position | undefined> => {
      only(partition)
      return Promise.resolve(segments.to)
    },
    append: async (batch: JudgedBatch): Promise<void> => {
      only(batch.partition)
      await segments.append(batch)
    },
    ids: (partition: PartitionId, sinceMs: number): AsyncIterable<IdBatch> => {
      only(partition)
      return readIds(segments, sinceMs, maxIds)
    },
  }
}

async function* readIds(segments: SegmentLog, sinceMs: number, maxIds: number): AsyncGenerator<IdBatch> {
  const all = [...segments.segments]
  const ends = all.map(segment => segment.bytes)
  const count = segments.idCount
  for (const [n, segment] of all.entries()) {
    const next = all[n + 1]
    // The clock hardly ever runs back, but may: a minute of slack costs nothing.
    if (next !== undefined && (next.arrivedAt < sinceMs - 60_000 || count - next.base[0] >= maxIds)) continue
    const file = await SegmentFile.open(segment.path)
    try {
      for (let at = SEGMENT_HEAD.length; at < ends[n]!; ) {
        const header = await file.header(at)
        if (header === undefined) throw segmentDamaged(segment.path, at, 'no frame header')
        if (header.arrivedAt >= sinceMs && header.sections[0].count > 0) {
          yield { to: header.to, ...decodeIds(await file.section(at, header, 0), header.sections[0]) }
        }
        at += header.bytes
      }
    } finally {
      await file.close()
    }
  }
}

function only(partition: PartitionId): void {
  if (partition !== 0) throw new RangeError(`Segment files have partition 0 only. Found: ${partition}.`)
}
