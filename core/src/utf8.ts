/** Decoded UTF-16 units on their way into a string. Its size bounds the arguments of one `String.fromCharCode`. */
const units = new Uint16Array(2048)

const REPLACEMENT = 0xfffd

/**
 * The first `length` of `bytes` as text. Each maximal part of a bad sequence becomes one U+FFFD, as the Encoding
 * Standard has it (https://encoding.spec.whatwg.org/#utf-8-decoder), so the result equals `TextDecoder`'s, which the
 * core cannot name. No byte order mark is taken off.
 */
export function utf8Text(bytes: Uint8Array, length: number): string {
  let text = ''
  let n = 0
  let i = 0
  while (i < length) {
    if (n > units.length - 2) {
      text += unitsText(n)
      n = 0
    }
    const lead = bytes[i++] as number
    if (lead < 0x80) {
      units[n++] = lead
      continue
    }
    // The bounds of the second byte rule out overlong forms, surrogates and what lies beyond U+10FFFF.
    let missing = 0
    let lower = 0x80
    let upper = 0xbf
    let codePoint = 0
    if (lead >= 0xc2 && lead <= 0xdf) {
      missing = 1
      codePoint = lead & 0x1f
    } else if (lead >= 0xe0 && lead <= 0xef) {
      missing = 2
      codePoint = lead & 0x0f
      if (lead === 0xe0) lower = 0xa0
      else if (lead === 0xed) upper = 0x9f
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      missing = 3
      codePoint = lead & 0x07
      if (lead === 0xf0) lower = 0x90
      else if (lead === 0xf4) upper = 0x8f
    } else {
      units[n++] = REPLACEMENT
      continue
    }
    while (missing > 0 && i < length) {
      const next = bytes[i] as number
      if (next < lower || next > upper) break
      codePoint = (codePoint << 6) | (next & 0x3f)
      lower = 0x80
      upper = 0xbf
      missing--
      i++
    }
    if (missing > 0) units[n++] = REPLACEMENT
    else if (codePoint < 0x10000) units[n++] = codePoint
    else {
      units[n++] = 0xd7c0 + (codePoint >> 10)
      units[n++] = 0xdc00 | (codePoint & 0x3ff)
    }
  }
  return text === '' ? unitsText(n) : text + unitsText(n)
}

function unitsText(n: number): string {
  // `apply` takes any array-like of numbers; the declaration in lib.es5 only names arrays.
  return String.fromCharCode.apply(null, units.subarray(0, n) as unknown as number[])
}

/**
 * `text` cut so that its UTF-8 form has at most `maxBytes`, never inside a character; `text` itself when it fits.
 * A lone surrogate counts as the three bytes of the U+FFFD that it is encoded as.
 */
export function cutToUtf8Bytes(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text
  let bytes = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    const pair = isLead(unit) && isTrail(text.charCodeAt(i + 1))
    bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : pair ? 4 : 3
    if (bytes > maxBytes) return text.slice(0, i)
    if (pair) i++
  }
  return text
}

/** `text` with each lone surrogate replaced by U+FFFD: what it becomes when it goes over the wire and back. */
export function wellFormed(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0xd800 || unit > 0xdfff) continue
    // With the flag `u` the class matches a surrogate only where it stands alone.
    return text.replace(/[\ud800-\udfff]/gu, '\ufffd')
  }
  return text
}

function isLead(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

function isTrail(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff
}
