/**
 * A string in which every character is one byte (code 0–255), as `latin1` decoding yields it. Log lines and raw
 * request parts are kept in this form because it is reversible for any bytes and V8 stores it compactly.
 */
export type ByteString = string

/** Undoes NGINX's `\xXX`. Anything else stays as it is. */
export function unescapeNginx(_text: string): ByteString {
  throw new Error('to come')
}
/** NGINX's default log escaping: 0x00–0x1F, `"`, `\`, 0x7F–0xFF become `\xXX` with upper-case digits. */
export function escapeNginx(_bytes: ByteString): string {
  throw new Error('to come')
}
/** UTF-8 bytes to text; bad bytes become U+FFFD. */
export function decodeUtf8(_bytes: ByteString): string {
  throw new Error('to come')
}
export function encodeUtf8(_text: string): ByteString {
  throw new Error('to come')
}
