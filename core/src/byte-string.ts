import { utf8Text } from './utf8.ts'

/**
 * A string in which every character is one byte (code 0–255), as `latin1` decoding yields it. Log lines and raw
 * request parts are kept in this form because it is reversible for any bytes and V8 stores it compactly.
 */
export type ByteString = string

/** The value of a hexadecimal digit by its character code, −1 for any other byte. */
export const HEX_VALUE = Int8Array.from({ length: 256 }, (_, code) => {
  return '0123456789abcdef'.indexOf(String.fromCharCode(code).toLowerCase())
})

const BYTES = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code))

/** What NGINX writes for each byte. */
const ESCAPED = BYTES.map((char, code) =>
  code < 0x20 || code >= 0x7f || char === '"' || char === '\\'
    ? `\\x${code.toString(16).toUpperCase().padStart(2, '0')}`
    : char,
)

/** Undoes NGINX's `\xXX` (either case of digits). Anything else stays as it is, a lone `\` too. */
export function unescapeNginx(text: string): ByteString {
  let at = text.indexOf('\\x')
  if (at < 0) return text
  let bytes = ''
  let from = 0
  while (at >= 0) {
    const value = hexPair(text, at + 2)
    if (value < 0) {
      at = text.indexOf('\\x', at + 2)
      continue
    }
    bytes += text.slice(from, at) + BYTES[value]
    from = at + 4
    at = text.indexOf('\\x', from)
  }
  return bytes + text.slice(from)
}

/**
 * NGINX's default log escaping (`ngx_http_log_escape`): 0x00–0x1F, `"`, `\`, 0x7F–0xFF become `\xXX` with upper-case
 * digits, all else stays.
 */
export function escapeNginx(bytes: ByteString): string {
  let text = ''
  let from = 0
  for (let i = 0; i < bytes.length; i++) {
    const code = bytes.charCodeAt(i)
    if (code >= 0x20 && code < 0x7f && code !== 0x22 && code !== 0x5c) continue
    text += bytes.slice(from, i) + ESCAPED[code & 0xff]
    from = i + 1
  }
  return from === 0 ? bytes : text + bytes.slice(from)
}

/** Bytes on their way into text. Longer inputs get an array of their own. */
const scratch = new Uint8Array(4096)

/** UTF-8 bytes to text; each maximal part of a bad sequence becomes one U+FFFD. Never throws. */
export function decodeUtf8(bytes: ByteString): string {
  let i = 0
  while (i < bytes.length && bytes.charCodeAt(i) < 0x80) i++
  if (i === bytes.length) return bytes
  const buffer = bytes.length <= scratch.length ? scratch : new Uint8Array(bytes.length)
  for (i = 0; i < bytes.length; i++) buffer[i] = bytes.charCodeAt(i)
  return utf8Text(buffer, bytes.length)
}

/** Text to UTF-8 bytes; a lone surrogate becomes U+FFFD, as `TextEncoder` has it. */
export function encodeUtf8(text: string): ByteString {
  let bytes = ''
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    bytes += text.slice(from, i)
    let codePoint = text.codePointAt(i) as number
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) codePoint = 0xfffd
    if (codePoint < 0x800) bytes += byte(0xc0 | (codePoint >> 6))
    else {
      if (codePoint < 0x10000) bytes += byte(0xe0 | (codePoint >> 12))
      else {
        bytes += byte(0xf0 | (codePoint >> 18)) + byte(0x80 | ((codePoint >> 12) & 0x3f))
        i++
      }
      bytes += byte(0x80 | ((codePoint >> 6) & 0x3f))
    }
    bytes += byte(0x80 | (codePoint & 0x3f))
    from = i + 1
  }
  return from === 0 ? text : bytes + text.slice(from)
}

/** The byte that two hexadecimal digits at `at` mean; negative when they are none. */
function hexPair(text: string, at: number): number {
  if (at + 2 > text.length) return -1
  const high = HEX_VALUE[text.charCodeAt(at)] ?? -1
  const low = HEX_VALUE[text.charCodeAt(at + 1)] ?? -1
  return high < 0 || low < 0 ? -1 : (high << 4) | low
}

function byte(code: number): string {
  return BYTES[code] as string
}
