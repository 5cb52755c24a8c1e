import { rm } from 'node:fs/promises'
import type { Position } from '../ports.ts'
import type { PrunedFile } from '../retention.ts'
import { readStateFile, writeStateFile } from '../state-file.ts'
import {
  beginsAs,
  FINGERPRINT_BYTES,
  type Fingerprint,
  type FolderScan,
  type FoundFile,
  fingerprintOf,
} from './log-folder.ts'

/**
 * A stretch of one file that was read, or is being read, without a break. Byte `o` of the file has the position `base + o`.
 * A file has one extent, and one more each time it was truncated, or grew after it had been left. The extents stand in the
 * order in which they are read, and their positions follow one another without gap or overlap.
 */
export interface LogExtent {
  /** 1, 2, 3 … as they were met. */
  number: number
  /** Where the file was seen last; only for people. */
  path: string
  device: number
  inode: number
  fingerprint: Fingerprint
  /** Position of the file's first byte; below 0 is possible when reading began inside the file. */
  base: number
  /** First byte that belongs to it. */
  from: number
  /** Behind its last byte; `undefined` while it is being read, which only the last extent can be. */
  to: number | undefined
}

/** A file is told by its beginning alone (a copy, another device number) only when that is at least this long. */
const TELLING_BYTES = 64

export function startOf(extent: LogExtent): Position {
  return extent.base + extent.from
}

export function endOf(extent: LogExtent): Position | undefined {
  return extent.to === undefined ? undefined : extent.base + extent.to
}

/**
 * Which files were met, in which order, and what positions their bytes have: `state/log-files.json`.
 *
 * File: `{"format":1,"extents":[{"number":1,"path":"…","device":2049,"inode":131,"fingerprint":{"bytes":256,"hash":"…"},
 * "base":0,"from":0,"to":1048576}, …]}`; the open extent has no `to`. It is written before a position that needs it is
 * handed out, so every position that anybody has stored can be found again.
 */
export class LogFiles {
  readonly #path: string
  #extents: LogExtent[]
  #first: Position = 0
  /** Raised by every change; `#saved` is the one that is on disk. */
  #changes = 0
  #saved = 0

  private constructor(path: string, extents: LogExtent[]) {
    this.#path = path
    this.#extents = extents
  }

  /** Rejects as `readStateFile` does. */
  static async load(path: string): Promise<LogFiles> {
    const extents = await readStateFile(path, {
      parse: fields => parseExtents(fields.extents),
      remedy:
        'Bring it back from a backup; or delete it: then all access logs that still exist are read again, and events are ' +
        'recognised as repeats by their ids within the duplicate window.',
    })
    return new LogFiles(path, extents ?? [])
  }

  get extents(): readonly LogExtent[] {
    return this.#extents
  }

  get last(): LogExtent | undefined {
    return this.#extents.at(-1)
  }

  /** Where the positions of the first extent begin, while there is none yet. */
  startAt(position: Position): void {
    this.#first = position
  }

  /** Writes what has changed since it was written last; rejects as `writeStateFile` does. */
  async save(): Promise<void> {
    if (this.#saved === this.#changes) return
    const changes = this.#changes
    await writeStateFile(this.#path, { extents: this.#extents })
    this.#saved = changes
  }

  /** The extent that holds `position`; at a border the later one. `undefined` when all were forgotten or none begun. */
  find(position: Position): LogExtent | undefined {
    return this.#extents.findLast(extent => startOf(extent) <= position) ?? this.#extents[0]
  }

  after(extent: LogExtent): LogExtent | undefined {
    return this.#extents[this.#extents.indexOf(extent) + 1]
  }

  /**
   * The file an extent belongs to: the same device, inode and beginning; else one with the same beginning and at least
   * `bytes` bytes (a copy).
   */
  fileOf(extent: LogExtent, scan: FolderScan, bytes: number): FoundFile | undefined {
    return scan.files.find(file => isSame(extent, file)) ?? this.copyOf(extent, scan, bytes)
  }

  /** Another file with the extent's beginning and at least `bytes` bytes: what `copytruncate` leaves behind. */
  copyOf(extent: LogExtent, scan: FolderScan, bytes: number): FoundFile | undefined {
    return scan.files.findLast(
      file =>
        !file.live && file.size >= bytes && isAlike(extent, file) && !this.#extents.some(other => isSame(other, file)),
    )
  }

  /** The extent now belongs to this file. */
  move(extent: LogExtent, file: FoundFile): void {
    extent.path = file.path
    extent.device = file.device
    extent.inode = file.inode
    this.#changes++
  }

  /** The extent ends at byte `to` of its file; it must be open. */
  close(extent: LogExtent, to: number): void {
    if (extent.to !== undefined) throw new Error(`extent ${extent.number} was closed before, at ${extent.to}`)
    extent.to = to
    this.#changes++
  }

  /** Begins to read a file at byte `from`; all extents must be closed. */
  add(file: FoundFile, from: number): LogExtent {
    const last = this.#extents.at(-1)
    const position = last === undefined ? this.#first : endOf(last)!
    const extent: LogExtent = {
      number: (last?.number ?? 0) + 1,
      path: file.path,
      device: file.device,
      inode: file.inode,
      fingerprint: fingerprintOf(file.head),
      base: position - from,
      from,
      to: undefined,
    }
    this.#extents.push(extent)
    this.#changes++
    return extent
  }

  /**
   * The files that have bytes nobody read, and from where, in the order in which they are to be read; the live one is
   * always among them unless it is being read. Copies of files that still exist are left out, complete or not.
   */
  unread(scan: FolderScan): { file: FoundFile; from: number; late: boolean }[] {
    const found: { file: FoundFile; from: number; late: boolean }[] = []
    for (const file of scan.files) {
      let extent = this.#extents.findLast(known => isSame(known, file))
      if (extent === undefined) {
        if (isBeginningOfAnother(file, scan)) continue
        const alike = file.live ? undefined : this.#extents.findLast(known => isAlike(known, file))
        if (alike !== undefined && scan.files.some(other => isSame(alike, other))) continue
        extent = alike
      }
      if (extent !== undefined && extent.to === undefined) continue
      const from = extent?.to ?? 0
      if (file.live || file.size > from) found.push({ file, from, late: !file.live && from > 0 })
    }
    return found
  }

  /** Learns more of a file's beginning; `head` must begin as the extent does. */
  learn(extent: LogExtent, head: Buffer): void {
    if (extent.fingerprint.bytes >= FINGERPRINT_BYTES || head.length <= extent.fingerprint.bytes) return
    extent.fingerprint = fingerprintOf(head)
    this.#changes++
  }

  /** Drops closed extents at the front whose file is gone and that are done. */
  forget(scan: FolderScan, done: Position): void {
    const keep = this.#extents.findIndex(
      extent => extent.to === undefined || endOf(extent)! > done || scan.files.some(file => isSame(extent, file)),
    )
    this.#extents.splice(0, keep === -1 ? this.#extents.length - 1 : keep)
  }

  /** Deletes rotated files that were read to their end before `done` and not written since `before` (Unix ms). */
  async prune(scan: FolderScan, done: Position, before: number): Promise<PrunedFile[]> {
    const pruned: PrunedFile[] = []
    for (const file of scan.files) {
      const extent = this.#extents.findLast(known => isSame(known, file))
      if (file.live || file.modifiedAt >= before || extent?.to === undefined) continue
      if (file.size > extent.to || endOf(extent)! > done) continue
      await rm(file.path, { force: true })
      pruned.push({ path: file.path, bytes: file.size })
    }
    return pruned
  }
}

function isSame(extent: LogExtent, file: FoundFile): boolean {
  return extent.inode === file.inode && extent.device === file.device && beginsAs(file.head, extent.fingerprint)
}

function isAlike(extent: LogExtent, file: FoundFile): boolean {
  return extent.fingerprint.bytes >= TELLING_BYTES && beginsAs(file.head, extent.fingerprint)
}

/** A copy that is being made, and is still too short to be told by its fingerprint. */
function isBeginningOfAnother(file: FoundFile, scan: FolderScan): boolean {
  if (file.live || file.size >= FINGERPRINT_BYTES) return false
  return scan.files.some(
    other => other.size > file.size && other.head.subarray(0, file.head.length).equals(file.head) && other !== file,
  )
}

function parseExtents(value: unknown): LogExtent[] {
  if (!Array.isArray(value)) throw new Error('no list "extents"')
  return value.map((entry, i): LogExtent => {
    const { number, path, device, inode, fingerprint, base, from, to } = (entry ?? {}) as Partial<LogExtent>
    const integers = [number, device, inode, base, from, fingerprint?.bytes, to ?? 0]
    const isLast = i === value.length - 1
    if (!integers.every(Number.isSafeInteger) || typeof path !== 'string' || typeof fingerprint?.hash !== 'string') {
      throw new Error(`extent ${i + 1} as ${JSON.stringify(entry)}`)
    }
    if (to === undefined && !isLast) throw new Error(`extent ${i + 1} without an end`)
    return { number, path, device, inode, fingerprint, base, from, to } as LogExtent
  })
}
