import { type Answer, LOG_UNWRITABLE } from './answer.ts'
import type { LogFile } from './log-file.ts'

/** Sends an answer to a request that waits for it; a client that has gone is no error. */
export type Deliver<Waiting> = (waiting: Waiting, answer: Answer) => void

/** The buffer of one turn. A turn that has more is written in several parts. */
const BUFFER_BYTES = 1024 * 1024

interface Acknowledgement<Waiting> {
  waiting: Waiting
  answer: Answer
}

/**
 * Collects the lines of one turn of the event loop in one buffer, writes them with one `write()`, and then lets the answers
 * go: what was acknowledged stands in the log. Under load a turn holds the lines of all sockets that were readable at once.
 *
 * With `fsync` the answers wait for the disk as well; what comes meanwhile is the next group.
 */
export class LineWriter<Waiting> {
  readonly #file: LogFile
  readonly #deliver: Deliver<Waiting>
  readonly #fsync: boolean
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  /** Lines that are not in the buffer yet: joining them costs a pointer each, copying them one by one a call each. */
  #text = ''
  /** Bytes of this turn that were written before the buffer was emptied for more. */
  #written = 0
  /** Set when a write of this turn failed: what ends behind it is refused. */
  #goodUpTo = Number.POSITIVE_INFINITY
  /** The requests of this turn, and where in the turn's bytes their last lines end. */
  readonly #waiting: Waiting[] = []
  readonly #answers: Answer[] = []
  readonly #ends: number[] = []
  #count = 0
  #scheduled = false
  #unsynced: Acknowledgement<Waiting>[] = []
  #syncing = false
  readonly #onWritten: (() => void)[] = []
  readonly #onIdle: (() => void)[] = []

  constructor(file: LogFile, deliver: Deliver<Waiting>, durability: 'write' | 'fsync') {
    this.#file = file
    this.#deliver = deliver
    this.#fsync = durability === 'fsync'
  }

  /** False while a line would be in vain: answer with 503 at once. */
  get writable(): boolean {
    return this.#file.writable
  }

  /** Calls back after every write, once a turn: the moment for a reader in the same process. */
  onWritten(callback: () => void): void {
    this.#onWritten.push(callback)
  }

  /** Adds a line (ASCII, with its newline) to the request that the next `commit` names. */
  line(text: string): void {
    if (this.#text.length + text.length > this.#buffer.length) this.#makeRoom(text.length)
    this.#text += text
  }

  /** All lines of a request are there: `answer` goes to `waiting` once they are written, else LOG_UNWRITABLE does. */
  commit(waiting: Waiting, answer: Answer): void {
    const i = this.#count++
    this.#waiting[i] = waiting
    this.#answers[i] = answer
    this.#ends[i] = this.#written + this.#text.length
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#endTurn)
  }

  /** Resolves when every request that was committed has its answer. */
  idle(): Promise<void> {
    if (!this.#busy) return Promise.resolve()
    return new Promise(resolve => this.#onIdle.push(resolve))
  }

  get #busy(): boolean {
    return this.#scheduled || this.#syncing || this.#unsynced.length > 0
  }

  #makeRoom(length: number): void {
    this.#write()
    if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(length)
  }

  /** Writes what there is, with one call. */
  #write(): void {
    const text = this.#text
    const used = text.length
    const before = this.#written
    this.#text = ''
    this.#written += used
    if (used === 0 || this.#goodUpTo !== Number.POSITIVE_INFINITY) return
    this.#buffer.write(text, 'latin1')
    const good = this.#file.append(this.#buffer, used, written => this.#wholeUpTo(before, written))
    if (good < used) this.#goodUpTo = before + good
  }

  /**
   * Where the last whole request ends within the first `written` bytes behind `before`. Negative when the request that does
   * not fit began before `before`: its lines there go as well, as its client will send all of it again.
   */
  #wholeUpTo(before: number, written: number): number {
    let whole = -before
    for (let i = 0; i < this.#count; i++) {
      const end = (this.#ends[i] as number) - before
      if (end > written) break
      whole = end
    }
    return whole
  }

  readonly #endTurn = (): void => {
    this.#scheduled = false
    this.#write()
    const good = this.#goodUpTo
    const count = this.#count
    this.#count = 0
    this.#written = 0
    this.#goodUpTo = Number.POSITIVE_INFINITY
    for (let i = 0; i < count; i++) {
      const waiting = this.#waiting[i] as Waiting
      const answer = this.#answers[i] as Answer
      if ((this.#ends[i] as number) > good) this.#deliver(waiting, LOG_UNWRITABLE)
      else if (this.#fsync) this.#unsynced.push({ waiting, answer })
      else this.#deliver(waiting, answer)
    }
    // Nothing may keep the requests of a burst alive.
    this.#waiting.length = 0
    this.#answers.length = 0
    for (const callback of this.#onWritten) callback()
    if (this.#fsync) void this.#sync()
    this.#file.maintain()
    this.#settle()
  }

  async #sync(): Promise<void> {
    if (this.#syncing) return
    this.#syncing = true
    while (this.#unsynced.length > 0) {
      const group = this.#unsynced
      this.#unsynced = []
      const onDisk = await this.#file.sync()
      for (const { waiting, answer } of group) this.#deliver(waiting, onDisk ? answer : LOG_UNWRITABLE)
      this.#file.maintain()
    }
    this.#syncing = false
    this.#settle()
  }

  #settle(): void {
    if (this.#busy) return
    for (const resolve of this.#onIdle.splice(0)) resolve()
  }
}
