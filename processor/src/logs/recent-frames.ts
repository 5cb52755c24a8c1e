import type { LogEntry, LogName } from '../ports.ts'
import { decodeEntries, type EncodedFrame, type FrameHeader, SECTIONS } from './frame.ts'

/**
 * The last frames as they were written, so that readers that follow closely do not read them back. Kept encoded: bytes cost
 * the garbage collector nothing, a hundred thousand entries do. Of each log the entries decoded last are kept too, for its
 * other reader. Bounded by the frames' size; the oldest goes first.
 */
export class RecentFrames {
  readonly #maxBytes: number
  readonly #frames = new Map<string, EncodedFrame>()
  readonly #decoded = new Map<LogName, { key: string; entries: readonly LogEntry[] }>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(path: string, at: number, frame: EncodedFrame): void {
    this.#frames.set(keyOf(path, at), frame)
    this.#bytes += frame.bytes.length
    for (const [key, oldest] of this.#frames) {
      if (this.#bytes <= this.#maxBytes) return
      this.#frames.delete(key)
      this.#bytes -= oldest.bytes.length
    }
  }

  header(path: string, at: number): FrameHeader | undefined {
    return this.#frames.get(keyOf(path, at))?.header
  }

  entries(path: string, at: number, log: LogName): readonly LogEntry[] | undefined {
    const key = keyOf(path, at)
    const decoded = this.#decoded.get(log)
    if (decoded?.key === key) return decoded.entries
    const frame = this.#frames.get(key)
    if (frame === undefined) return undefined
    const section = frame.header.sections[SECTIONS.indexOf(log)]!
    const entries = toEntries(frame.header, log, frame.bytes.subarray(section.at, section.at + section.bytes))
    this.#decoded.set(log, { key, entries })
    return entries
  }
}

function keyOf(path: string, at: number): string {
  return `${path}:${at}`
}

/** The entries of a log's section; `bytes` are that section and must be whole. */
export function toEntries(header: FrameHeader, log: LogName, bytes: Buffer): readonly LogEntry[] {
  const section = header.sections[SECTIONS.indexOf(log)]!
  return decodeEntries(header, section, bytes)
}
