import type { FileHandle } from 'node:fs/promises'
import { type ByteString, MAX_DEAD_LETTER_BYTES, MAX_LINE_BYTES } from '@headwater/core'

/** What stands between a place in a file and the last newline that was read, or what is known of an unfinished line. */
export type LinesRead =
  | {
      kind: 'lines'
      lines: ByteString[]
      /** Where each line begins, in bytes of the file. */
      offsets: number[]
      /** Indexes of lines that were cut. */
      tooLong: number[]
      /** Behind the last line and its newline. */
      end: number
      /** As much as was asked for: there is probably more. */
      full: boolean
    }
  | { kind: 'unfinished'; end: number }

const NEWLINE = 0x0a

/** Reads whole lines of a file; keeps its buffer, and what it knows about a line too long to hold. */
export class LineReader {
  readonly #batchBytes: number
  #buffer: Buffer
  /** How much is asked for; doubled while a line does not fit. */
  #want: number
  /** A line over MAX_LINE_BYTES: where it begins, its first bytes, and up to where no newline was found. */
  #long: { start: number; head: ByteString; searched: number } | undefined

  /** `batchBytes` are read at once, at most MAX_LINE_BYTES. */
  constructor(batchBytes: number) {
    this.#batchBytes = Math.min(batchBytes, MAX_LINE_BYTES)
    this.#want = this.#batchBytes
    this.#buffer = Buffer.allocUnsafeSlow(this.#want)
  }

  /** Another file, or another place. */
  reset(): void {
    this.#long = undefined
    this.#want = this.#batchBytes
  }

  /** Reads from byte `from`, where a line begins, up to byte `limit`, or to the end of the file (MAX_SAFE_INTEGER). */
  async read(file: FileHandle, from: number, limit: number): Promise<LinesRead> {
    if (this.#long?.start !== from) this.#long = undefined
    for (;;) {
      if (this.#long !== undefined) return this.#searchEnd(file, this.#long, limit)
      const want = Math.min(this.#want, limit - from)
      const bytes = await this.#fill(file, from, want, limit)
      const newline = bytes === 0 ? -1 : this.#buffer.lastIndexOf(NEWLINE, bytes - 1)
      if (newline !== -1) {
        const read = this.#split(from, newline + 1, bytes === want)
        this.#want = this.#batchBytes
        return read
      }
      if (bytes < want || from + bytes === limit) return { kind: 'unfinished', end: from + bytes }
      if (want > MAX_LINE_BYTES) {
        const head = this.#buffer.toString('latin1', 0, MAX_DEAD_LETTER_BYTES)
        this.#long = { start: from, head, searched: from + bytes }
      } else {
        // One byte more than the longest line, for its newline.
        this.#want = Math.min(want * 2, MAX_LINE_BYTES + 1)
        this.#buffer = Buffer.allocUnsafeSlow(this.#want)
      }
    }
  }

  /** The unfinished line that `read` ended with, as a line: no more of it will come. */
  takeUnfinished(from: number, end: number): LinesRead {
    const long = this.#long?.start === from ? this.#long : undefined
    this.reset()
    const line = long?.head ?? this.#buffer.toString('latin1', 0, end - from)
    return { kind: 'lines', lines: [line], offsets: [from], tooLong: long ? [0] : [], end, full: false }
  }

  /** A short read is the end of the file for now; before a `limit` that was reached once it is not believed so easily. */
  async #fill(file: FileHandle, from: number, want: number, limit: number): Promise<number> {
    let bytes = 0
    while (bytes < want) {
      const { bytesRead } = await file.read(this.#buffer, bytes, want - bytes, from + bytes)
      bytes += bytesRead
      if (bytesRead === 0 || limit === Number.MAX_SAFE_INTEGER) break
    }
    return bytes
  }

  /** One decoding for all lines: in Latin-1 a character is a byte, and lines are slices of one string. */
  #split(from: number, end: number, full: boolean): LinesRead {
    const text = this.#buffer.toString('latin1', 0, end)
    const lines: ByteString[] = []
    const offsets: number[] = []
    for (let start = 0; start < end; ) {
      const newline = text.indexOf('\n', start)
      lines.push(text.slice(start, newline))
      offsets.push(from + start)
      start = newline + 1
    }
    return { kind: 'lines', lines, offsets, tooLong: [], end: from + end, full }
  }

  async #searchEnd(
    file: FileHandle,
    long: { start: number; head: ByteString; searched: number },
    limit: number,
  ): Promise<LinesRead> {
    for (;;) {
      const want = Math.min(this.#buffer.length, limit - long.searched)
      const bytes = await this.#fill(file, long.searched, want, limit)
      const newline = this.#buffer.subarray(0, bytes).indexOf(NEWLINE)
      if (newline !== -1) {
        const end = long.searched + newline + 1
        this.reset()
        return { kind: 'lines', lines: [long.head], offsets: [long.start], tooLong: [0], end, full: true }
      }
      long.searched += bytes
      if (bytes < want || bytes === 0) return { kind: 'unfinished', end: long.searched }
    }
  }
}
