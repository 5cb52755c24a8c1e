/** A growing byte buffer in which pages are built. `bytes` changes when it grows: read it anew after every `reserve`. */
export class PageBuffer {
  bytes: Buffer
  length = 0

  constructor(initialBytes = 64 * 1024) {
    this.bytes = Buffer.allocUnsafe(initialBytes)
  }

  clear(): void {
    this.length = 0
  }

  /** Makes room for `more` bytes behind `length`. */
  reserve(more: number): void {
    const needed = this.length + more
    if (needed <= this.bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }

  appendUint8(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  appendUint32(value: number): void {
    this.reserve(4)
    this.bytes.writeUInt32LE(value, this.length)
    this.length += 4
  }

  /** Unsigned LEB128, as Parquet's run headers. */
  appendVarint(value: number): void {
    this.reserve(5)
    let left = value
    while (left >= 0x80) {
      this.bytes[this.length++] = (left & 0x7f) | 0x80
      left >>>= 7
    }
    this.bytes[this.length++] = left
  }

  /** PLAIN encoding of a BYTE_ARRAY value: its length, then its bytes. */
  appendByteArray(source: Uint8Array, start: number, end: number): void {
    const size = end - start
    this.reserve(4 + size)
    const { bytes } = this
    let at = this.length
    bytes[at] = size
    bytes[at + 1] = size >>> 8
    bytes[at + 2] = size >>> 16
    bytes[at + 3] = size >>> 24
    at += 4
    // Most values are short: a loop beats the call into native code up to about this length.
    if (size <= 96) for (let i = start; i < end; i++) bytes[at++] = source[i] as number
    else {
      bytes.set(source.subarray(start, end), at)
      at += size
    }
    this.length = at
  }

  view(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }
}
