import { type FileHandle, open } from 'node:fs/promises'
import { ProcessorError } from '../errors.ts'
import type { Position } from '../ports.ts'
import {
  decodeFrameHeader,
  endsOf,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  type FrameHeader,
  isSectionWhole,
  type LogEnds,
} from './frame.ts'

/*
 * A segment file: `<from of its first frame, 16 digits>.segment`, so that names sort by input position.
 *
 *   0  32 bytes: `headwater segment {"format":2}`, a space, a newline
 *  32  frames of this format, one behind the other
 *
 * Format 1 is still read, but not written to: its last segment is closed with the first append.
 */
export const SEGMENT_HEAD: Buffer = Buffer.from('headwater segment {"format":2} \n', 'latin1')
const SEGMENT_HEAD_OF_FORMAT_1 = Buffer.from('headwater segment {"format":1} \n', 'latin1')
const SEGMENT_NAME = /^\d{16}\.segment$/
/** What is read at once: several small frames, or the header and the ids of a large one. */
const WINDOW_BYTES = 64 * 1024

export function segmentName(from: Position): string {
  return `${String(from).padStart(16, '0')}.segment`
}

export function isSegmentName(name: string): boolean {
  return SEGMENT_NAME.test(name)
}

/** Reads a file at any place; neighbouring small reads share one. Views are valid until the next call. */
export class SegmentFile {
  readonly path: string
  readonly #handle: FileHandle
  #window: Buffer = Buffer.alloc(0)
  #windowAt = 0

  private constructor(path: string, handle: FileHandle) {
    this.path = path
    this.#handle = handle
  }

  static async open(path: string): Promise<SegmentFile> {
    return new SegmentFile(path, await open(path, 'r'))
  }

  /** Up to `length` bytes from `at`; fewer only at the end of the file. */
  async bytes(at: number, length: number): Promise<Buffer> {
    const inWindow = at - this.#windowAt
    if (inWindow >= 0 && inWindow + length <= this.#window.length) {
      return this.#window.subarray(inWindow, inWindow + length)
    }
    const window = Buffer.allocUnsafeSlow(Math.max(length, WINDOW_BYTES))
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(window, filled, window.length - filled, at + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    this.#window = window.subarray(0, filled)
    this.#windowAt = at
    return this.#window.subarray(0, Math.min(length, filled))
  }

  /** The header of the frame at `at`; `undefined` when there is no whole one. */
  async header(at: number): Promise<FrameHeader | undefined> {
    const bytes = await this.bytes(at, FRAME_HEADER_BYTES)
    return bytes.length < FRAME_HEADER_BYTES ? undefined : decodeFrameHeader(bytes, 0)
  }

  /** The bytes of one section of the frame at `at`; rejects with STATE_DAMAGED when they are not what was written. */
  async section(at: number, header: FrameHeader, section: number): Promise<Buffer> {
    const place = header.sections[section]!
    const bytes = await this.bytes(at + place.at, place.bytes)
    if (!isSectionWhole(bytes, place)) throw segmentDamaged(this.path, at, 'a section with a wrong checksum')
    return bytes
  }

  /** Rejects with FORMAT_UNKNOWN when this is not a segment file of our format; false when it ends before one begins. */
  async hasHead(): Promise<boolean> {
    const head = await this.bytes(0, SEGMENT_HEAD.length)
    if (head.equals(SEGMENT_HEAD) || head.equals(SEGMENT_HEAD_OF_FORMAT_1)) return true
    if (head.length < SEGMENT_HEAD.length && head.equals(SEGMENT_HEAD.subarray(0, head.length))) return false
    throw new ProcessorError(
      'FORMAT_UNKNOWN',
      `${this.path} must begin with ${JSON.stringify(SEGMENT_HEAD.toString('latin1').trimEnd())}; another version of ` +
        `Headwater may have written it. Found: ${JSON.stringify(head.toString('latin1').trimEnd())}.`,
    )
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

export function segmentDamaged(path: string, at: number, found: string): ProcessorError {
  return new ProcessorError(
    'STATE_DAMAGED',
    `${path} is damaged at byte ${at}. Found: ${found}. Nothing behind this place was read. Bring the file back from a ` +
      'backup; or, to go on without what it holds from there, stop, move this file and the segments after it away, and ' +
      'start again: the access log is read again from there as far as it still exists.',
  )
}

export interface WholeFrames {
  /** Where the last whole frame ends: the length the file should have. */
  bytes: number
  first: FrameHeader | undefined
  last: FrameHeader | undefined
}

/**
 * Checks every frame and finds the end of the last whole one. What follows it is a torn frame when nothing whole stands
 * behind it, and can be cut off; otherwise the file is damaged and STATE_DAMAGED says where.
 */
export async function findWholeFrames(file: SegmentFile, size: number): Promise<WholeFrames> {
  const whole: WholeFrames = { bytes: SEGMENT_HEAD.length, first: undefined, last: undefined }
  while (whole.bytes < size) {
    const at = whole.bytes
    const header = await file.header(at)
    if (header === undefined || at + header.bytes > size || !(await isFrameWhole(file, at, header))) {
      const next = await findFrame(file, at + 1, size)
      if (next === undefined) break
      throw segmentDamaged(file.path, at, `no whole frame there, but one at byte ${next}`)
    }
    checkChain(file.path, at, whole.last, header)
    whole.first ??= header
    whole.last = header
    whole.bytes += header.bytes
  }
  return whole
}

/** Every frame goes on where the one before it ended; gaps in offsets are allowed (see `SegmentLog.open`), overlaps not. */
export function checkChain(path: string, at: number, before: FrameHeader | undefined, header: FrameHeader): void {
  if (before === undefined) return
  if (header.from !== before.to)
    throw segmentDamaged(path, at, `a frame from ${header.from} behind one to ${before.to}`)
  const ends: LogEnds = endsOf(before)
  if (header.sections.some((section, n) => section.base < ends[n]!)) {
    throw segmentDamaged(path, at, 'a frame whose offsets run back')
  }
}

async function isFrameWhole(file: SegmentFile, at: number, header: FrameHeader): Promise<boolean> {
  for (const section of header.sections) {
    if (!isSectionWhole(await file.bytes(at + section.at, section.bytes), section)) return false
  }
  return true
}

/** The next place from `at` where a frame's header stands whole. Values are JSON, so none of them can look like one. */
async function findFrame(file: SegmentFile, at: number, size: number): Promise<number | undefined> {
  const step = 1024 * 1024
  for (let start = at; start < size; start += step) {
    const bytes = Buffer.from(await file.bytes(start, step + FRAME_HEADER_BYTES))
    for (let i = bytes.indexOf(FRAME_MAGIC); i !== -1 && i < step; i = bytes.indexOf(FRAME_MAGIC, i + 1)) {
      if (i + FRAME_HEADER_BYTES <= bytes.length && decodeFrameHeader(bytes, i) !== undefined) return start + i
    }
  }
  return undefined
}
