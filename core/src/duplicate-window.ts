export interface DuplicateWindowOptions {
  /** How long an id is remembered, in log time, ms. Counted in whole seconds. */
  windowMs: number
  /** How many ids are remembered at most: the last ones accepted. 4 000 000 take 57 MB. */
  maxIds: number
}

/** What the window holds now, for health and metrics. */
export interface DuplicateWindowStats {
  /** Ids remembered. */
  size: number
  /** Age of the oldest id in log time, ms; 0 when empty. */
  oldestAgeMs: number
  /** How far back a repeat is surely found, ms: `windowMs`, or less when `maxIds` is the tighter limit. */
  windowInForceMs: number
  /** Bytes of the arrays. */
  bytes: number
}

const FIRST_CAPACITY = 1024
const NONE = 0xffffffff

/**
 * Whether an event id occurred before: exact (no false answer but for equal 64-bit hashes) and bounded in memory.
 *
 * An id is a repeat when it occurred earlier within `windowMs` of log time (inclusive, in whole seconds) and within the
 * last `maxIds` accepted ids. Log time is the running maximum of `receivedAt` in whole seconds: it never runs back, so the
 * ids lie in order of time and one (second, count) pair a second says when to forget. A repeat is not noted again.
 * The answers are a pure function of the calls before, so the window can be rebuilt from the log of accepted ids.
 *
 * Layout, about 14 bytes an id: `high` and `low` are a ring, oldest to newest; `head` (one for every two slots) and `next`
 * chain the slots of a hash bucket, newest first. Nothing is ever unlinked: along a chain age only grows, so a link that
 * leads to a slot that is not older (it was overwritten) or is no longer held ends the chain, as in zlib's deflate.
 */
export class DuplicateWindow {
  readonly #windowS: number
  readonly #windowMs: number
  readonly #maxIds: number
  // Bucket numbers are keyed: whoever knows the hash must not be able to put all ids into one chain.
  readonly #seedA = (Math.random() * 0x100000000) | 0
  readonly #seedB = (Math.random() * 0x100000000) | 0

  #capacity: number
  #high: Uint32Array
  #low: Uint32Array
  #next: Uint32Array
  #head: Uint32Array
  #shift = 0
  /** The slot that is written next, and how many before it are held. */
  #at = 0
  #size = 0

  /** A ring of (second, ids accepted in it), oldest first. */
  #seconds: Float64Array
  #counts: Uint32Array
  #secondsFrom = 0
  #secondsHeld = 0
  #logSecond = 0

  /** Throws a RangeError when `windowMs` is negative or `maxIds` is not an integer of 1 … 2^31. */
  constructor(options: DuplicateWindowOptions) {
    if (!(options.windowMs >= 0)) throw new RangeError(`windowMs must be 0 or more. Found: ${options.windowMs}.`)
    if (!Number.isInteger(options.maxIds) || options.maxIds < 1 || options.maxIds > 0x80000000)
      throw new RangeError(`maxIds must be an integer of 1 to 2147483648. Found: ${options.maxIds}.`)
    this.#windowMs = options.windowMs
    this.#windowS = Math.floor(options.windowMs / 1000)
    this.#maxIds = options.maxIds
    this.#capacity = Math.min(FIRST_CAPACITY, options.maxIds)
    this.#high = new Uint32Array(this.#capacity)
    this.#low = new Uint32Array(this.#capacity)
    this.#next = new Uint32Array(this.#capacity)
    this.#head = this.#newHead()
    this.#seconds = new Float64Array(64)
    this.#counts = new Uint32Array(64)
  }

  /**
   * Whether the id (two unsigned 32-bit halves, as `hashEventId` gives them) occurred before within the window; notes it
   * when not. `receivedAt`: Unix ms; one that is behind log time, or no number, leaves log time where it is.
   */
  seen(high: number, low: number, receivedAt: number): boolean {
    const second = Math.floor(receivedAt / 1000)
    if (second > this.#logSecond && second !== Number.POSITIVE_INFINITY) {
      this.#logSecond = second
      this.#forgetOld()
    }
    const bucket = this.#bucket(high, low)
    const capacity = this.#capacity
    const at = this.#at
    const size = this.#size
    let slot = this.#head[bucket]!
    let age = 0
    while (slot !== NONE) {
      // 1 for the newest id, `size` for the oldest; a slot about to be overwritten has the age `capacity`.
      const slotAge = slot < at ? at - slot : at - slot + capacity
      if (slotAge <= age || slotAge > size) break
      if (this.#low[slot] === low && this.#high[slot] === high) return true
      age = slotAge
      slot = this.#next[slot]!
    }
    this.#note(high, low)
    return false
  }

  /** How far the window really spans now: age of the oldest id in log time, seconds; 0 when empty. */
  get spanSeconds(): number {
    return this.stats().oldestAgeMs / 1000
  }

  /** What the window holds now. */
  stats(): DuplicateWindowStats {
    const oldestAgeMs = this.#secondsHeld === 0 ? 0 : (this.#logSecond - this.#seconds[this.#secondsFrom]!) * 1000
    return {
      size: this.#size,
      oldestAgeMs,
      windowInForceMs: this.#size < this.#maxIds ? this.#windowMs : Math.min(oldestAgeMs, this.#windowMs),
      bytes:
        this.#high.byteLength +
        this.#low.byteLength +
        this.#next.byteLength +
        this.#head.byteLength +
        this.#seconds.byteLength +
        this.#counts.byteLength,
    }
  }

  #note(high: number, low: number): void {
    if (this.#size === this.#capacity) {
      if (this.#capacity < this.#maxIds) this.#grow()
      else this.#forgetOldest()
    }
    const slot = this.#at
    const bucket = this.#bucket(high, low)
    this.#high[slot] = high
    this.#low[slot] = low
    this.#next[slot] = this.#head[bucket]!
    this.#head[bucket] = slot
    this.#at = slot + 1 === this.#capacity ? 0 : slot + 1
    this.#size += 1
    this.#countSecond()
  }

  #bucket(high: number, low: number): number {
    let h = Math.imul(low ^ this.#seedA, 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 15) ^ high ^ this.#seedB, 0xc2b2ae35)
    h = Math.imul(h ^ (h >>> 13), 0x27d4eb2f)
    return h >>> this.#shift
  }

  #forgetOld(): void {
    const oldest = this.#logSecond - this.#windowS
    while (this.#secondsHeld > 0 && this.#seconds[this.#secondsFrom]! < oldest) {
      this.#size -= this.#counts[this.#secondsFrom]!
      this.#dropSecond()
    }
  }

  #forgetOldest(): void {
    this.#size -= 1
    const left = this.#counts[this.#secondsFrom]! - 1
    this.#counts[this.#secondsFrom] = left
    if (left === 0) this.#dropSecond()
  }

  #dropSecond(): void {
    this.#secondsFrom = this.#secondsFrom + 1 === this.#seconds.length ? 0 : this.#secondsFrom + 1
    this.#secondsHeld -= 1
  }

  #countSecond(): void {
    const length = this.#seconds.length
    if (this.#secondsHeld > 0) {
      const last = (this.#secondsFrom + this.#secondsHeld - 1) % length
      if (this.#seconds[last] === this.#logSecond) {
        this.#counts[last] = this.#counts[last]! + 1
        return
      }
      if (this.#secondsHeld === length) {
        this.#seconds = unrolled(this.#seconds, this.#secondsFrom, new Float64Array(length * 2))
        this.#counts = unrolled(this.#counts, this.#secondsFrom, new Uint32Array(length * 2))
        this.#secondsFrom = 0
      }
    }
    const slot = (this.#secondsFrom + this.#secondsHeld) % this.#seconds.length
    this.#seconds[slot] = this.#logSecond
    this.#counts[slot] = 1
    this.#secondsHeld += 1
  }

  /** Called when the ring is full, so its oldest id stands at `#at`. One array after the other, to keep the peak low. */
  #grow(): void {
    const capacity = Math.min(this.#capacity * 2, this.#maxIds)
    this.#next = new Uint32Array(0)
    this.#high = unrolled(this.#high, this.#at, new Uint32Array(capacity))
    this.#low = unrolled(this.#low, this.#at, new Uint32Array(capacity))
    this.#next = new Uint32Array(capacity)
    this.#at = this.#size
    this.#capacity = capacity
    this.#head = this.#newHead()
    for (let slot = 0; slot < this.#size; slot++) {
      const bucket = this.#bucket(this.#high[slot]!, this.#low[slot]!)
      this.#next[slot] = this.#head[bucket]!
      this.#head[bucket] = slot
    }
  }

  /** The smallest power of two that is at least half of the capacity: chains of two at most on average. */
  #newHead(): Uint32Array {
    const bits = Math.max(1, Math.ceil(Math.log2(this.#capacity / 2)))
    this.#shift = 32 - bits
    return new Uint32Array(2 ** bits).fill(NONE)
  }
}

/** Copies a full ring that begins at `from` to the start of `to`. */
function unrolled<A extends Uint32Array | Float64Array>(ring: A, from: number, to: A): A {
  to.set(ring.subarray(from))
  to.set(ring.subarray(0, from), ring.length - from)
  return to
}
