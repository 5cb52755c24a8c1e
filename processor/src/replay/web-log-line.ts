import { type ByteString, HEX_VALUE, parseTimeLocal, TIME_LOCAL_LENGTH } from '@headwater/core'

/** What a page view needs of a line of any web server's log. Raw bytes, escapes undone; `undefined` is `-`. */
export interface WebLogLine {
  /** `host:port` of Apache's `vhost_combined`. */
  virtualHost: ByteString | undefined
  remoteAddr: ByteString
  remoteUser: ByteString | undefined
  /** Unix ms, whole seconds. */
  time: number
  /** `METHOD target HTTP/x` */
  request: ByteString
  status: number
  referer: ByteString | undefined
  userAgent: ByteString | undefined
}

const SPACE = 0x20
const QUOTE = 0x22
const DASH = 0x2d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const BACKSLASH = 0x5c
/** Apache's `%u` of somebody who signed in without a name (mod_log_config.c, log_remote_user), up to the time. */
const EMPTY_USER = '"" ['

/**
 * A line of an NGINX or Apache log in the format `common`, `combined` or `vhost_combined`, whatever stands behind it:
 *
 *     [host:port ]addr ident user [dd/Mmm/yyyy:HH:mm:ss ±HHMM] "request" status bytes["referer" "agent"[…]]
 *
 * NGINX writes a quote in a value as `\x22`, Apache as `\"`: a quote behind a backslash ends nothing. Apache's manual,
 * mod_log_config: "the %r, %i and %o … non-printable and other special characters in those formats are escaped using \xhh
 * sequences … exceptions are the quotation mark and the backslash, which are escaped by prepending a backslash, and all
 * whitespace characters, which are written in their C-style notation". `undefined` for any other line; linear time.
 */
export function parseWebLogLine(line: ByteString): WebLogLine | undefined {
  let open = quoteEnd(line, 0)
  if (line.startsWith(EMPTY_USER, open)) open = quoteEnd(line, open + EMPTY_USER.length)
  const time = open - TIME_LOCAL_LENGTH - 2
  if (time < 1 || line.charCodeAt(open - 1) !== SPACE || line.charCodeAt(open - 2) !== CLOSE_BRACKET) return undefined
  if (line.charCodeAt(time - 1) !== OPEN_BRACKET) return undefined
  const unixMs = parseTimeLocal(line, time)
  if (Number.isNaN(unixMs)) return undefined

  const firstSpace = line.indexOf(' ')
  let head = line.slice(0, time - 2)
  let virtualHost: ByteString | undefined
  // An address has no letter but in hexadecimal, and an ident is nearly always `-`: four words, the third of them `-`.
  const words = head.split(' ', 4)
  if (words.length === 4 && words[1] !== '-' && words[2] === '-') {
    virtualHost = words[0]
    head = head.slice(firstSpace + 1)
  }
  const addrEnd = head.indexOf(' ')
  const identEnd = addrEnd < 0 ? -1 : head.indexOf(' ', addrEnd + 1)
  if (identEnd < 0) return undefined
  const user = head.slice(identEnd + 1)

  const close = quoteEnd(line, open + 1)
  if (close < 0 || line.charCodeAt(close + 1) !== SPACE) return undefined
  const status = Number(line.slice(close + 2, close + 5))
  if (!(status >= 100 && status <= 999) || line.charCodeAt(close + 5) !== SPACE) return undefined
  let referer: ByteString | undefined
  let userAgent: ByteString | undefined
  const refererOpen = line.indexOf(' "', close + 5)
  if (refererOpen >= 0) {
    const refererClose = quoteEnd(line, refererOpen + 2)
    if (refererClose < 0) return undefined
    referer = variable(line, refererOpen + 2, refererClose)
    if (line.charCodeAt(refererClose + 1) === SPACE && line.charCodeAt(refererClose + 2) === QUOTE) {
      const agentClose = quoteEnd(line, refererClose + 3)
      if (agentClose < 0) return undefined
      userAgent = variable(line, refererClose + 3, agentClose)
    }
  }
  return {
    virtualHost,
    remoteAddr: head.slice(0, addrEnd),
    remoteUser: user === '-' || user === '' || user === '""' ? undefined : unescaped(user),
    time: unixMs,
    request: unescaped(line.slice(open + 1, close)),
    status,
    referer,
    userAgent,
  }
}

/** Where the quote stands that ends a value; −1 when there is none. */
function quoteEnd(line: ByteString, from: number): number {
  let at = from
  for (;;) {
    const quote = line.indexOf('"', at)
    if (quote < 0) return -1
    let backslashes = 0
    while (quote - 1 - backslashes >= from && line.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return quote
    at = quote + 1
  }
}

function variable(line: ByteString, from: number, to: number): ByteString | undefined {
  if (to === from || (to === from + 1 && line.charCodeAt(from) === DASH)) return undefined
  return unescaped(line.slice(from, to))
}

const C_STYLE: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', b: '\b', v: '\v', f: '\f' }

function unescaped(text: string): ByteString {
  let at = text.indexOf('\\')
  if (at < 0) return text
  let bytes = ''
  let from = 0
  while (at >= 0 && at + 1 < text.length) {
    const next = text.charAt(at + 1)
    const high = next === 'x' ? (HEX_VALUE[text.charCodeAt(at + 2)] ?? -1) : -1
    const low = high < 0 ? -1 : (HEX_VALUE[text.charCodeAt(at + 3)] ?? -1)
    bytes += text.slice(from, at)
    if (low >= 0) {
      bytes += String.fromCharCode(high * 16 + low)
      from = at + 4
    } else {
      bytes += C_STYLE[next] ?? next
      from = at + 2
    }
    at = text.indexOf('\\', from)
  }
  return bytes + text.slice(from)
}
