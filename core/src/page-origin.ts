import { type ByteString, decodeUtf8 } from './byte-string.ts'

/**
 * Scheme, host and port of the page that sent a request, without a slash behind: of the header `Origin`, else of
 * `Referer`; `undefined` when neither is an http(s) URL (`Origin: null` of a sandboxed page, for one).
 */
export function pageOrigin(origin: ByteString | undefined, referer: ByteString | undefined): string | undefined {
  return originOf(origin) ?? originOf(referer)
}

function originOf(url: ByteString | undefined): string | undefined {
  if (url === undefined) return undefined
  const from = url.startsWith('https://') ? 8 : url.startsWith('http://') ? 7 : 0
  if (from === 0) return undefined
  let to = from
  while (to < url.length && !'/?#\\ '.includes(url.charAt(to))) to++
  return to === from ? undefined : decodeUtf8(url.slice(0, to))
}
