import type { ByteString } from '@headwater/core'

/**
 * NGINX's `$remote_user`: the name in a Basic `Authorization` header, or undefined. It follows `ngx_http_auth_basic_user`
 * and `ngx_decode_base64` step by step, as any client can send anything here: base64 ends at the first `=`, a character
 * outside the alphabet or a lone last one makes it none, and so does an empty name or a missing colon.
 */
export function remoteUser(authorization: ByteString): ByteString | undefined {
  if (authorization.length < 6 || authorization.slice(0, 6).toLowerCase() !== 'basic ') return undefined
  let from = 6
  while (authorization.charCodeAt(from) === 0x20) from++
  const equals = authorization.indexOf('=', from)
  const encoded = equals < 0 ? authorization.slice(from) : authorization.slice(from, equals)
  if (encoded.length % 4 === 1 || !/^[A-Za-z0-9+/]+$/.test(encoded)) return undefined
  const user = Buffer.from(encoded, 'base64').toString('latin1')
  const colon = user.indexOf(':')
  return colon <= 0 ? undefined : user.slice(0, colon)
}
