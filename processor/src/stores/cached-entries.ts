/** A bounded memory of what was looked up: beyond `size` the entry that was used longest ago goes. */
export class CachedEntries<V> {
  readonly #size: number
  readonly #clock: () => number
  /** A Map keeps the order of insertion: the first is the one used longest ago. */
  readonly #entries = new Map<string, { value: V; until: number }>()

  /** `clock`: milliseconds that never run back. */
  constructor(size: number, clock: () => number) {
    this.#size = size
    this.#clock = clock
  }

  get size(): number {
    return this.#entries.size
  }

  /** `undefined` when there is none, or it is too old. */
  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    if (this.#clock() >= entry.until) return undefined
    this.#entries.set(key, entry)
    return entry.value
  }

  set(key: string, value: V, ttlMs: number): void {
    if (this.#size === 0) return
    this.#entries.delete(key)
    if (this.#entries.size >= this.#size) this.#entries.delete(this.#entries.keys().next().value as string)
    this.#entries.set(key, { value, until: this.#clock() + ttlMs })
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }
}
