import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Logger } from 'pino'
import { GatewayError } from './gateway-error.ts'
import type { LogOptions } from './options.ts'

const NEWLINE = 0x0a

/** How long after a failed write nothing is tried: a full disk is not asked again for every beacon. */
const RETRY_MS = 100

/** What the metrics show of a log file. */
export interface LogFileCounts {
  bytes: number
  writes: number
  rotations: number
  failures: number
}

/**
 * The access log as a file: whole lines go in, or nothing of them stays. States and moves:
 *
 *     writable   ── a write fails or is short: what is not whole is cut off again ──▶ failing
 *     failing    ── RETRY_MS later the file opens, and a probe beside it can be written ──▶ writable
 *     either     ── close ──▶ closed
 *
 * A rotated file is named `<file>.<UTC time>`, e.g. `access.log.2026-11-22T10-29-00.123Z`: the names sort in the order of
 * their content, also when the clock runs back, and none is ever overwritten.
 */
export class LogFile {
  readonly counts: LogFileCounts = { bytes: 0, writes: 0, rotations: 0, failures: 0 }
  readonly #options: LogOptions
  readonly #log: Logger
  readonly #now: () => number
  #fd: number | undefined
  #size = 0
  #begunAt = 0
  #lastRotatedName = ''
  #failedAt: number | undefined
  /** The operator was told of a fault, and not yet of its end. */
  #faultReported = false
  #rotateNotBefore = 0
  #closed = false
  /** The file was opened before a rename from outside: `reopen` was asked for. */
  #reopenWanted = false
  #syncing = false

  /** Opens the file, makes its folder when missing. Throws LOG_UNWRITABLE when that fails. */
  constructor(options: LogOptions, log: Logger, now: () => number = Date.now) {
    this.#options = options
    this.#log = log
    this.#now = now
    try {
      mkdirSync(dirname(options.file), { recursive: true })
      this.#open()
    } catch (error) {
      throw new GatewayError('LOG_UNWRITABLE', `log.file must be a file that can be written. Found: ${options.file}.`, {
        cause: error,
      })
    }
  }

  /** Whether the last write succeeded. False, and not worth a try, for 0.1 s after one that did not. */
  get writable(): boolean {
    if (this.#closed) return false
    if (this.#failedAt === undefined) return true
    const passed = this.#now() - this.#failedAt
    if (passed >= 0 && passed < RETRY_MS) return false
    return this.#recover()
  }

  get size(): number {
    return this.#size
  }

  /**
   * Appends `length` bytes. Returns how many stand in the file afterwards: all, or, when the disk took less, as many as
   * `wholeUpTo` says are whole at the number that it took (negative: some that were appended before are to go too); the
   * rest is cut off again. Never throws.
   */
  append(bytes: Uint8Array, length: number, wholeUpTo: (written: number) => number): number {
    if (!this.writable || this.#fd === undefined) return 0
    let written = 0
    try {
      // A short write of a regular file means a full disk, a quota or a limit: the second call says which.
      while (written < length) {
        const count = writeSync(this.#fd, bytes, written, length - written)
        if (count === 0) throw new Error('write() took nothing')
        written += count
      }
    } catch (error) {
      const whole = wholeUpTo(written)
      this.#fail(error, written - whole)
      this.#size += whole
      this.counts.bytes += whole
      return whole
    }
    this.#size += written
    this.counts.bytes += written
    this.counts.writes++
    if (this.#faultReported) {
      this.#faultReported = false
      this.#log.info({ file: this.#options.file }, 'The log can be written again')
    }
    return length
  }

  /**
   * Resolves with whether all that was appended before is on the disk now. One at a time; rotation waits for it, as it
   * closes the file.
   */
  sync(): Promise<boolean> {
    const fd = this.#fd
    if (fd === undefined) return Promise.resolve(false)
    this.#syncing = true
    return new Promise(resolve => {
      fdatasync(fd, error => {
        this.#syncing = false
        // After a failed fsync nobody knows what is on the disk, and asking again says that all is well: open anew.
        if (error !== null) this.#fail(error, 0)
        resolve(error === null)
      })
    })
  }

  /** Rotates or reopens the file when it is time to. Called between turns, when no line is half written. */
  maintain(): void {
    if (this.#closed || this.#syncing || this.#fd === undefined) return
    if (this.#reopenWanted) this.#reopen()
    const { maxBytes, maxAgeMs } = this.#options
    if (this.#size === 0) return
    const now = this.#now()
    const tooLong = maxBytes > 0 && this.#size >= maxBytes
    const tooOld = maxAgeMs > 0 && now - this.#begunAt >= maxAgeMs
    if ((tooLong || tooOld) && now >= this.#rotateNotBefore) this.#rotate(now)
  }

  /** Opens the path anew at the next chance: somebody has renamed the file (logrotate, `kill -USR1`). */
  reopen(): void {
    this.#reopenWanted = true
    this.maintain()
  }

  /** Puts all on the disk and closes. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#fd === undefined) return
    try {
      fdatasyncSync(this.#fd)
    } catch (error) {
      this.#log.warn({ err: error, file: this.#options.file }, 'The log could not be synced before closing it')
    }
    closeSync(this.#fd)
    this.#fd = undefined
  }

  #open(): void {
    const { file, durability } = this.#options
    // a+: reads too, for the last byte.
    const fd = openSync(file, 'a+', 0o640)
    try {
      const stat = fstatSync(fd)
      if (!stat.isFile() && !stat.isCharacterDevice()) throw new Error(`not a file: ${file}`)
      this.#size = stat.size
      if (stat.isFile() && stat.size > 0) {
        const last = Buffer.alloc(1)
        readSync(fd, last, 0, 1, stat.size - 1)
        // A crash left half a line: end it, so that it never glues itself to the next.
        if (last[0] !== NEWLINE) this.#size += writeSync(fd, '\n')
      }
      // No birth time on some file systems: then its age counts from now.
      this.#begunAt = stat.size > 0 && stat.birthtimeMs > 0 ? stat.birthtimeMs : this.#now()
      if (durability === 'fsync') this.#syncFolder()
    } catch (error) {
      closeSync(fd)
      throw error
    }
    this.#fd = fd
  }

  #syncFolder(): void {
    const folder = openSync(dirname(this.#options.file), 'r')
    try {
      fsyncSync(folder)
    } finally {
      closeSync(folder)
    }
  }

  /** Cuts off the last `excess` bytes and waits with further writes. */
  #fail(error: unknown, excess: number): void {
    if (!this.#faultReported)
      this.#log.error(
        { err: error, file: this.#options.file },
        'The log cannot be written: beacons are answered with 503',
      )
    this.#faultReported = true
    this.#failedAt = this.#now()
    this.counts.failures++
    if (this.#fd === undefined) return
    try {
      if (excess > 0) ftruncateSync(this.#fd, fstatSync(this.#fd).size - excess)
    } catch (cause) {
      // The torn end is ended with a newline when the file is opened again.
      this.#log.warn({ err: cause, file: this.#options.file }, 'Half a line stays in the log')
    }
    // While an fsync is under way the number must not be given away.
    if (this.#syncing) return
    closeSync(this.#fd)
    this.#fd = undefined
  }

  #recover(): boolean {
    const { file } = this.#options
    try {
      if (this.#fd === undefined) this.#open()
      // Opening says nothing about space. A probe beside the file does, and leaves no line that is none.
      const probe = join(dirname(file), `.${basename(file)}.probe`)
      if (statSync(file).isFile()) {
        writeFileSync(probe, Buffer.alloc(4096))
        unlinkSync(probe)
      }
    } catch {
      this.#failedAt = this.#now()
      return false
    }
    this.#failedAt = undefined
    return true
  }

  #reopen(): void {
    this.#reopenWanted = false
    const old = this.#fd
    if (old === undefined) return
    try {
      if (this.#options.durability === 'fsync') fdatasyncSync(old)
      this.#open()
      closeSync(old)
      this.counts.rotations++
      this.#log.info({ file: this.#options.file }, 'The log was reopened')
    } catch (error) {
      // The old file is still ours: go on there, as NGINX does.
      this.#fd = old
      this.#log.error(
        { err: error, file: this.#options.file },
        'The log could not be reopened; writing to the old file',
      )
    }
  }

  #rotate(now: number): void {
    const { file, durability } = this.#options
    const fd = this.#fd
    if (fd === undefined) return
    try {
      if (durability === 'fsync') fdatasyncSync(fd)
      const rotated = this.#rotatedName()
      moveWithoutReplacing(file, rotated)
      this.#lastRotatedName = rotated
    } catch (error) {
      this.#log.error({ err: error, file }, 'The log could not be rotated; trying again in a minute')
      this.#rotateNotBefore = now + 60_000
      return
    }
    this.counts.rotations++
    this.#fd = undefined
    closeSync(fd)
    try {
      this.#open()
    } catch (error) {
      this.#fail(error, 0)
    }
  }

  /** A name for the present file that sorts behind all that were given before, whatever the clock says. */
  #rotatedName(): string {
    const { file } = this.#options
    if (this.#lastRotatedName === '') {
      const prefix = `${basename(file)}.`
      for (const name of readdirSync(dirname(file)))
        if (name.startsWith(prefix) && timeOf(name.slice(prefix.length)) !== undefined) {
          const path = join(dirname(file), name)
          if (path > this.#lastRotatedName) this.#lastRotatedName = path
        }
    }
    const last = this.#lastRotatedName === '' ? undefined : timeOf(this.#lastRotatedName.slice(file.length + 1))
    const at = Math.max(this.#now(), last === undefined ? 0 : last + 1)
    return join(dirname(file), `${basename(file)}.${new Date(at).toISOString().replaceAll(':', '-')}`)
  }
}

/** The time in a rotated file's suffix, `2026-11-22T10-29-00.123Z`, as Unix ms. */
function timeOf(suffix: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/.test(suffix)) return undefined
  const time = Date.parse(`${suffix.slice(0, 13)}:${suffix.slice(14, 16)}:${suffix.slice(17)}`)
  return Number.isNaN(time) ? undefined : time
}

/** `rename` would replace silently, `link` refuses. Some file systems have no links: there a look before must do. */
function moveWithoutReplacing(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EMLINK') throw error
    if (statSync(to, { throwIfNoEntry: false }) !== undefined) throw error
    renameSync(from, to)
    return
  }
  unlinkSync(from)
}
