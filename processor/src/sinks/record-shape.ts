const MAX_NAMES = 256
const MAX_BYTES = 8 * 1024

/**
 * The names of the last record in their order, each with its quotes and the byte behind it, and what they mean. The records
 * of a log are nearly all made alike, so a name is compared with the one that stood in its place before: no end to look
 * for, no hash, no table.
 */
export class RecordShape {
  readonly meanings = new Int32Array(MAX_NAMES)
  readonly hashes = new Int32Array(MAX_NAMES)
  readonly sames = new Int32Array(MAX_NAMES)
  readonly #bytes = new Uint8Array(MAX_BYTES)
  /** Name i is `#bytes[#ends[i] … #ends[i + 1])`. */
  readonly #ends = new Int32Array(MAX_NAMES + 1)
  #length = 0

  /** How long name `index` is when it stands at `at`; 0 when another one does, and what was behind it is forgotten. */
  match(index: number, bytes: Uint8Array, at: number): number {
    if (index >= this.#length) return 0
    const known = this.#bytes
    const from = this.#ends[index] as number
    const to = this.#ends[index + 1] as number
    let i = from
    while (i < to && known[i] === bytes[at + i - from]) i++
    if (i === to) return to - from
    this.#length = index
    return 0
  }

  /** Notes what stands at `from` to `to` as name `index`, if all names before it are known and there is room. */
  learn(index: number, bytes: Uint8Array, from: number, to: number, meaning: number, hash: number, same: number): void {
    if (index !== this.#length || index === MAX_NAMES) return
    const start = this.#ends[index] as number
    if (start + to - from > MAX_BYTES) return
    this.#bytes.set(bytes.subarray(from, to), start)
    this.#ends[index + 1] = start + to - from
    this.meanings[index] = meaning
    this.hashes[index] = hash
    this.sames[index] = same
    this.#length = index + 1
  }
}
