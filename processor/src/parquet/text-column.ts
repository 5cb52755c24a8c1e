import type { PageBuffer } from './page-buffer.ts'

/** Beyond this many probes a value becomes an entry of its own: what a hostile set of colliding values costs is bounded. */
const MAX_PROBES = 24
/** After this many entries a column whose values hardly repeat stops looking for repeats. */
const TRIAL_ENTRIES = 16_384
/** Not more, or readers must hold too much per column (parquet-mr's own limit is 1 MiB). */
const MAX_DICTIONARY_BYTES = 2 * 1024 * 1024

/** Four bytes a step: each multiplication waits for the one before it, the bytes of a step do not. */
function hashOf(source: Uint8Array, start: number, end: number): number {
  let hash = end - start
  let i = start
  for (; i + 4 <= end; i += 4) {
    const word =
      (source[i] as number) |
      ((source[i + 1] as number) << 8) |
      ((source[i + 2] as number) << 16) |
      ((source[i + 3] as number) << 24)
    hash = Math.imul(hash ^ word, 0x9e3779b1)
    hash ^= hash >>> 15
  }
  for (; i < end; i++) hash = Math.imul(hash ^ (source[i] as number), 0x01000193)
  return hash ^ (hash >>> 15)
}

/**
 * The values of a text column while a file is open: every distinct value once, in bytes, and an index a row. Only typed
 * arrays, because 20 columns of JavaScript strings cost several times the time and memory.
 */
export class TextColumn {
  rows = 0
  nulls = 0
  /** Distinct values held; entries may repeat once `hashing` has ended. */
  entries = 0
  /** What PLAIN would need for the values, without their lengths. */
  plainBytes = 0
  /** Row → entry, −1 for null. */
  index = new Int32Array(1024)
  /** Entry i is `bytes[offsets[i] … offsets[i + 1])`. */
  offsets = new Uint32Array(1024)
  bytes = Buffer.allocUnsafe(16 * 1024)
  #hashing = true
  /** Open addressing, entry + 1 in each taken slot. */
  #table = new Int32Array(2048)
  #hashes = new Int32Array(1024)

  /** Memory that the values need, bytes. What is kept of an earlier file is not in it. */
  get heldBytes(): number {
    return 4 * this.rows + 16 * this.entries + (this.offsets[this.entries] as number)
  }

  /** Whether a dictionary is smaller than the plain values, and small enough. */
  get wantsDictionary(): boolean {
    const dictionary = this.offsets[this.entries] as number
    return (
      this.#hashing && dictionary + 4 * this.entries <= MAX_DICTIONARY_BYTES && dictionary <= this.plainBytes * 0.75
    )
  }

  addNull(): void {
    this.#growRows()
    this.index[this.rows++] = -1
    this.nulls++
  }

  /** Adds `source[start … end)`, which is UTF-8. */
  add(source: Uint8Array, start: number, end: number): void {
    this.#growRows()
    this.plainBytes += end - start
    this.index[this.rows++] = this.#hashing ? this.#find(source, start, end) : this.#enter(source, start, end)
  }

  /** The bytes of entry `entry`, appended as PLAIN. */
  appendEntry(out: PageBuffer, entry: number): void {
    out.appendByteArray(this.bytes, this.offsets[entry] as number, this.offsets[entry + 1] as number)
  }

  /** Empty again; the memory is kept for the next file. */
  clear(): void {
    this.rows = 0
    this.nulls = 0
    this.entries = 0
    this.plainBytes = 0
    this.#hashing = true
    this.#table.fill(0)
  }

  #find(source: Uint8Array, start: number, end: number): number {
    const hash = hashOf(source, start, end)
    const mask = this.#table.length - 1
    let slot = hash & mask
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const taken = this.#table[slot] as number
      if (taken === 0) {
        this.#table[slot] = this.entries + 1
        this.#hashes[this.entries] = hash
        const entry = this.#enter(source, start, end)
        if (this.entries * 2 > this.#table.length) this.#growTable()
        return entry
      }
      if (this.#hashes[taken - 1] === hash && this.#equals(taken - 1, source, start, end)) return taken - 1
      slot = (slot + 1) & mask
    }
    this.#hashes[this.entries] = hash
    return this.#enter(source, start, end)
  }

  #equals(entry: number, source: Uint8Array, start: number, end: number): boolean {
    const { bytes } = this
    const from = this.offsets[entry] as number
    if ((this.offsets[entry + 1] as number) - from !== end - start) return false
    for (let i = start, at = from; i < end; i++, at++) if (bytes[at] !== source[i]) return false
    return true
  }

  #enter(source: Uint8Array, start: number, end: number): number {
    const entry = this.entries++
    const from = entry === 0 ? 0 : (this.offsets[entry] as number)
    const to = from + end - start
    if (to > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(to, this.bytes.length * 2))
      grown.set(this.bytes.subarray(0, from))
      this.bytes = grown
    }
    const { bytes } = this
    if (end - start <= 96) for (let i = start, at = from; i < end; i++, at++) bytes[at] = source[i] as number
    else bytes.set(source.subarray(start, end), from)
    if (entry + 1 >= this.offsets.length) this.#growEntries()
    this.offsets[entry] = from
    this.offsets[entry + 1] = to
    if (this.#hashing && this.entries >= TRIAL_ENTRIES && this.entries > (this.rows - this.nulls) * 0.75) {
      this.#hashing = false
    }
    return entry
  }

  #growRows(): void {
    if (this.rows < this.index.length) return
    const grown = new Int32Array(this.index.length * 2)
    grown.set(this.index)
    this.index = grown
  }

  #growEntries(): void {
    const offsets = new Uint32Array(this.offsets.length * 2)
    offsets.set(this.offsets)
    this.offsets = offsets
    const hashes = new Int32Array(this.offsets.length)
    hashes.set(this.#hashes)
    this.#hashes = hashes
  }

  #growTable(): void {
    const table = new Int32Array(this.#table.length * 2)
    const mask = table.length - 1
    for (let entry = 0; entry < this.entries; entry++) {
      let slot = (this.#hashes[entry] as number) & mask
      // As in `#find`: what does not find a place near its own is never found again, which is allowed.
      for (let probe = 0; probe < MAX_PROBES; probe++, slot = (slot + 1) & mask) {
        if (table[slot] === 0) {
          table[slot] = entry + 1
          break
        }
      }
    }
    this.#table = table
  }
}
