/** A few names, found by their UTF-8 bytes. */
export class NameTable {
  /** Hash of the name that was looked for last. */
  hash = 0
  readonly #names: { bytes: Uint8Array; hash: number; value: number }[] = []
  /** First letters and lengths of the names that are there: most names that are not end here. */
  readonly #slots = new Int16Array(256).fill(-1)
  readonly #next: number[] = []

  /** `value` ≥ 0 is what `find` gives for the name. */
  add(name: string, value: number): void {
    const bytes = new TextEncoder().encode(name)
    const hash = hashOf(bytes, 0, bytes.length)
    const slot = hash & 255
    this.#next.push(this.#slots[slot] as number)
    this.#slots[slot] = this.#names.length
    this.#names.push({ bytes, hash, value })
  }

  /** The value of the name at `source[start … stop)`, or −1. */
  find(source: Uint8Array, start: number, stop: number): number {
    const hash = hashOf(source, start, stop)
    this.hash = hash
    for (let i = this.#slots[hash & 255] as number; i >= 0; i = this.#next[i] as number) {
      const name = this.#names[i] as { bytes: Uint8Array; hash: number; value: number }
      if (name.hash === hash && name.bytes.length === stop - start) {
        let same = 0
        while (same < name.bytes.length && name.bytes[same] === source[start + same]) same++
        if (same === name.bytes.length) return name.value
      }
    }
    return -1
  }
}

function hashOf(bytes: Uint8Array, start: number, stop: number): number {
  let hash = stop - start
  for (let i = start; i < stop; i++) hash = Math.imul(hash, 31) + (bytes[i] as number)
  return (hash ^ (hash >>> 11)) | 0
}
