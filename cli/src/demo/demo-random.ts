/** Random numbers that a seed brings back: sfc32 (Chris Doty-Humphrey, PractRand), 128 bits of state. */
export class DemoRandom {
  #a: number
  #b: number
  #c: number
  #counter = 1

  /** `seed`: any whole number of 32 bits. */
  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = 0x9e3779b9
    this.#c = 0x243f6a88
    for (let i = 0; i < 15; i++) this.bits()
  }

  /** 32 random bits, as a signed integer. */
  bits(): number {
    const mixed = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + mixed) | 0
    return mixed
  }

  /** In [0, 1). */
  next(): number {
    return (this.bits() >>> 0) / 4294967296
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** A whole number in [min, max]. */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.next() * choices.length)] as T
  }

  /** Waiting times: mostly short, now and then long (log-normal, `median` and `spread` of its logarithm). */
  waiting(median: number, spread: number): number {
    // Box–Muller; 1 − next() is never 0.
    const normal = Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next())
    return median * Math.exp(spread * normal)
  }

  /** `length` characters of base64url (at most 11 pairs): an id as the SDK makes them. */
  text(length: number): string {
    let text = ''
    for (let at = 0; at < length; at += 4) {
      const bits = this.bits()
      text += (BASE64_PAIRS[bits & 4095] as string) + (BASE64_PAIRS[(bits >>> 12) & 4095] as string)
    }
    return text.length === length ? text : text.slice(0, length)
  }

  /** `length` hexadecimal digits; `length` must be a multiple of 8. */
  hex(length: number): string {
    let text = ''
    for (let at = 0; at < length; at += 8) {
      const bits = this.bits()
      text +=
        (HEX_BYTES[bits & 255] as string) +
        (HEX_BYTES[(bits >>> 8) & 255] as string) +
        (HEX_BYTES[(bits >>> 16) & 255] as string) +
        (HEX_BYTES[bits >>> 24] as string)
    }
    return text
  }
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const BASE64_PAIRS = Array.from({ length: 4096 }, (_, i) => BASE64.charAt(i >> 6) + BASE64.charAt(i & 63))
const HEX_BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Picks by weight in constant time: a table of 1 024 places. `weights` need not add up to anything. */
export function weighted<T>(choices: readonly (readonly [T, number])[]): (random: DemoRandom) => T {
  const sum = choices.reduce((total, [, weight]) => total + weight, 0)
  const table: T[] = []
  let reached = 0
  for (const [choice, weight] of choices) {
    reached += weight
    const until = Math.round((reached / sum) * 1024)
    while (table.length < until) table.push(choice)
  }
  return random => table[(random.bits() >>> 22) % table.length] as T
}
