import { encodeUtf8 } from './byte-string.ts'
import { percentDecode } from './percent-decode.ts'

/** The parts of a page's address that scenarios ask for. All texts are slices; nothing is decoded yet. */
export interface UrlParts {
  /** Lower case, without user and port (`[::1]` keeps its brackets); `undefined` when the address names no host. */
  host: string | undefined
  /** Begins with `/`; `undefined` when the address has none, as in `about:blank`. */
  path: string | undefined
  /** Without `?`; empty when there is none. */
  query: string
}

/**
 * Takes an address apart as far as scenarios need it: `http://host/path?query#fragment`, `//host/path`, `/path`.
 * Tolerant and never throws, in one pass: the text comes from a page, and may be anything. (RFC 3986, section 3.)
 */
export function urlParts(url: string): UrlParts {
  let end = url.indexOf('#')
  if (end < 0) end = url.length
  const mark = url.indexOf('?')
  const hasQuery = mark >= 0 && mark < end
  const query = hasQuery ? url.slice(mark + 1, end) : ''
  const pathEnd = hasQuery ? mark : end

  const authority = authorityStart(url)
  if (authority < 0) {
    return { host: undefined, path: url.startsWith('/') ? url.slice(0, pathEnd) : undefined, query }
  }
  let slash = url.indexOf('/', authority)
  if (slash < 0 || slash > pathEnd) slash = pathEnd
  const host = hostOf(url.slice(authority, slash))
  return { host: host === '' ? undefined : host, path: slash < pathEnd ? url.slice(slash, pathEnd) : '/', query }
}

/** The value of a name in a page's query, `+` read as a space; of a repeated name the last one. */
export function queryValue(query: string, name: string): string | undefined {
  let found: string | undefined
  for (let start = 0; start < query.length; ) {
    let end = query.indexOf('&', start)
    if (end < 0) end = query.length
    const pair = query.slice(start, end)
    const equals = pair.indexOf('=')
    const rawName = equals < 0 ? pair : pair.slice(0, equals)
    if (rawName === name || (mayBeEncoded(rawName) && decodeForm(rawName) === name)) {
      found = equals < 0 ? '' : pair.slice(equals + 1)
    }
    start = end + 1
  }
  return found === undefined ? undefined : decodeForm(found)
}

/** Percent-decoding that lets a bad `%` stand and turns bad UTF-8 into U+FFFD. */
export function decodePercent(text: string): string {
  return text.includes('%') ? decode(text, false) : text
}

function decodeForm(text: string): string {
  return mayBeEncoded(text) ? decode(text, true) : text
}

function mayBeEncoded(text: string): boolean {
  return text.includes('%') || text.includes('+')
}

function decode(text: string, form: boolean): string {
  const bytes = encodeUtf8(text)
  return percentDecode(bytes, 0, bytes.length, form, bytes.length)
}

/** Where the authority begins: behind `//` or `scheme://`; −1 when there is none. */
function authorityStart(url: string): number {
  if (url.startsWith('//')) return 2
  const colon = url.indexOf('://')
  if (colon < 1) return -1
  for (let i = 0; i < colon; i++) {
    const code = url.charCodeAt(i) | 0x20
    const isLetter = code >= 0x61 && code <= 0x7a
    const isOther = (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e
    if (!isLetter && !(isOther && i > 0)) return -1
  }
  return colon + 3
}

function hostOf(authority: string): string {
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  const port = host.startsWith('[') ? host.indexOf(':', host.indexOf(']') + 1) : host.indexOf(':')
  return (port < 0 ? host : host.slice(0, port)).toLowerCase()
}
