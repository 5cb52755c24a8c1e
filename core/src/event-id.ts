/**
 * 64-bit hash of an event id: `out[0]` high half, `out[1]` low half, both unsigned. Not cryptographic; the same for the
 * same id on every machine and in every version, because the duplicate window is rebuilt from stored hashes.
 *
 * Two MurmurHash3_x86_32 (Austin Appleby, public domain) over the UTF-16LE bytes of the id, with different seeds and
 * multipliers. Both see every character: halves that share the characters between them collide far too often for ids
 * that only count upwards (`p-access-4711`).
 */
export function hashEventId(eventId: string, out: Uint32Array): void {
  let high = 0x9747b28c
  let low = 0x3c6ef372
  const length = eventId.length
  const even = length - (length & 1)
  for (let i = 0; i < even; i += 2) {
    const word = eventId.charCodeAt(i) | (eventId.charCodeAt(i + 1) << 16)
    high ^= mixHigh(word)
    high = (Math.imul((high << 13) | (high >>> 19), 5) + 0xe6546b64) | 0
    low ^= mixLow(word)
    low = (Math.imul((low << 17) | (low >>> 15), 5) + 0x0bcaa747) | 0
  }
  if (even < length) {
    const word = eventId.charCodeAt(even)
    high ^= mixHigh(word)
    low ^= mixLow(word)
  }
  out[0] = avalanche(high ^ (length * 2))
  out[1] = avalanche(low ^ (length * 2))
}

function mixHigh(word: number): number {
  const k = Math.imul(word, 0xcc9e2d51)
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593)
}

function mixLow(word: number): number {
  const k = Math.imul(word, 0x239b961b)
  return Math.imul((k << 16) | (k >>> 16), 0x38b34ae5)
}

function avalanche(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
