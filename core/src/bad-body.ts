import type { ByteString } from './byte-string.ts'
import { MAX_DEAD_LETTER_BYTES } from './limits.ts'
import { BAD_BODY } from './names.ts'

const ENCODED = Array.from({ length: 256 }, (_, code) => {
  const char = String.fromCharCode(code)
  return code < 0x80 && encodeURIComponent(char) === char
    ? char
    : `%${code.toString(16).toUpperCase().padStart(2, '0')}`
})

/**
 * The query under which a request with a body that `beaconParams` rejects is logged when the log format has no field for
 * the body (`combined`): `hw_body=<the first 8 KiB of the body>` before the rest. Without it such a request would be read
 * back as a good one with nothing in its body; with it, it is rejected for the same reason and its dead letter shows
 * the body.
 */
export function queryWithBadBody(query: ByteString, body: ByteString): ByteString {
  let encoded = ''
  const length = Math.min(body.length, MAX_DEAD_LETTER_BYTES)
  for (let i = 0; i < length; i++) encoded += ENCODED[body.charCodeAt(i) & 0xff]
  return `${BAD_BODY}=${encoded}${query === '' ? '' : '&'}${query}`
}
