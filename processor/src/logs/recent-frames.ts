import type { LogEntry, LogName } from '../ports.ts'
import { type EncodedFrame, type FrameHeader, type FrameRecords, SECTIONS } from './frame.ts'

interface RecentFrame {
  header: FrameHeader
  records: Record<LogName, FrameRecords>
  entries: Partial<Record<LogName, readonly LogEntry[]>>
  bytes: number
}

/**
 * The last frames as they were before encoding, so that readers that follow closely neither read nor decode, and two readers
 * of one log share its entries. Bounded by the frames' encoded size; the oldest goes first.
 */
export class RecentFrames {
  readonly #maxBytes: number
  readonly #frames = new Map<string, RecentFrame>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(path: string, at: number, frame: EncodedFrame): void {
    this.#frames.set(`${path}:${at}`, {
      header: frame.header,
      records: frame.records,
      entries: {},
      bytes: frame.bytes.length,
    })
    this.#bytes += frame.bytes.length
    for (const [key, oldest] of this.#frames) {
      if (this.#bytes <= this.#maxBytes) return
      this.#frames.delete(key)
      this.#bytes -= oldest.bytes
    }
  }

  header(path: string, at: number): FrameHeader | undefined {
    return this.#frames.get(`${path}:${at}`)?.header
  }

  entries(path: string, at: number, log: LogName): readonly LogEntry[] | undefined {
    const frame = this.#frames.get(`${path}:${at}`)
    if (frame === undefined) return undefined
    frame.entries[log] ??= toEntries(frame.header, log, frame.records[log])
    return frame.entries[log]
  }
}

/** Records with what their place in the log adds. */
export function toEntries(header: FrameHeader, log: LogName, records: FrameRecords): readonly LogEntry[] {
  const { base } = header.sections[SECTIONS.indexOf(log)]!
  const { arrivedAt } = header
  return records.values.map((value, i) => ({ offset: base + i, order: records.orders[i]!, arrivedAt, value }))
}
