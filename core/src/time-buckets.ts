/** Total and successes of one stretch of time. */
export interface BucketPoint {
  /** The bucket's begin, Unix ms: a multiple of the bucket length. */
  at: number
  total_count: number
  success_count: number
}

/**
 * The last `kept` stretches of `bucketMs` each, every one with a total and a success count (each below 2^32). What is older
 * than the newest bucket by `kept` or more is not kept, so memory is fixed: 8 bytes a bucket.
 */
export class TimeBuckets {
  readonly bucketMs: number
  readonly kept: number
  /** Number of the newest bucket ever added to (`floor(ms / bucketMs)`); −Infinity when there is none. */
  newest = Number.NEGATIVE_INFINITY
  readonly #totals: Uint32Array
  readonly #successes: Uint32Array

  constructor(bucketMs: number, kept: number) {
    this.bucketMs = bucketMs
    this.kept = kept
    this.#totals = new Uint32Array(kept)
    this.#successes = new Uint32Array(kept)
  }

  /** Adds to bucket `number`; one that is too old is left out. */
  add(number: number, total: number, success: number): void {
    if (number > this.newest) this.#advance(number)
    else if (number <= this.newest - this.kept) return
    const slot = this.#slot(number)
    this.#totals[slot] = this.#totals[slot]! + total
    this.#successes[slot] = this.#successes[slot]! + success
  }

  /** Calls `each` for the buckets [from, to] that are not empty, in order of time. */
  visit(from: number, to: number, each: (number: number, total: number, success: number) => void): void {
    if (this.newest === Number.NEGATIVE_INFINITY) return
    const last = Math.min(to, this.newest)
    for (let number = Math.max(from, this.newest - this.kept + 1); number <= last; number++) {
      const slot = this.#slot(number)
      const total = this.#totals[slot]!
      if (total !== 0) each(number, total, this.#successes[slot]!)
    }
  }

  #advance(number: number): void {
    if (number - this.newest >= this.kept) {
      this.#totals.fill(0)
      this.#successes.fill(0)
    } else {
      for (let passed = this.newest + 1; passed <= number; passed++) {
        const slot = this.#slot(passed)
        this.#totals[slot] = 0
        this.#successes[slot] = 0
      }
    }
    this.newest = number
  }

  #slot(number: number): number {
    const rest = number % this.kept
    return rest < 0 ? rest + this.kept : rest
  }
}
