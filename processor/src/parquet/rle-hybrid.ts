import type { PageBuffer } from './page-buffer.ts'

/*
 * Parquet's RLE / bit-packing hybrid (parquet-format, Encodings.md):
 *
 *   run          := rle-run | bit-packed-run
 *   rle-run      := varint(count << 1) value(⌈width / 8⌉ bytes, little endian)
 *   bit-packed   := varint(groups << 1 | 1) groups × 8 values of `width` bits, least significant bit first
 */

/** A shorter run of equal values costs more as a run of its own than within a bit-packed one. */
const MIN_RUN = 16

/** Bits that hold 0 … max. */
export function bitWidth(max: number): number {
  return max <= 0 ? 0 : 32 - Math.clz32(max)
}

/** Appends `values[0 … count)`, each below 2^width; width is at most 24 (and readers in JavaScript go no further). */
export function appendHybrid(out: PageBuffer, values: Int32Array, count: number, width: number): void {
  let from = 0
  let i = 0
  while (i < count) {
    const value = values[i] as number
    let end = i + 1
    while (end < count && values[end] === value) end++
    if (end - i >= MIN_RUN) {
      // Bit-packed values come in groups of eight: the run gives what is missing to fill the last one.
      const start = Math.min(end, i + ((8 - ((i - from) & 7)) & 7))
      if (start > from) appendPacked(out, values, from, start, width)
      if (end > start) appendRun(out, value, end - start, width)
      from = end
    }
    i = end
  }
  if (count > from) appendPacked(out, values, from, count, width)
}

function appendRun(out: PageBuffer, value: number, count: number, width: number): void {
  out.appendVarint(count * 2)
  for (let shift = 0; shift < width; shift += 8) out.appendUint8((value >>> shift) & 0xff)
}

function appendPacked(out: PageBuffer, values: Int32Array, from: number, to: number, width: number): void {
  const groups = Math.ceil((to - from) / 8)
  out.appendVarint(groups * 2 + 1)
  out.reserve(groups * width)
  const { bytes } = out
  let at = out.length
  const end = at + groups * width
  let held = 0
  let bits = 0
  for (let i = from; i < to; i++) {
    const value = values[i] as number
    // At most 7 bits are held here, so 24 more always fit.
    held |= value << bits
    bits += width
    while (bits >= 8) {
      bytes[at++] = held
      held >>>= 8
      bits -= 8
    }
  }
  if (bits > 0) bytes[at++] = held
  while (at < end) bytes[at++] = 0
  out.length = end
}
