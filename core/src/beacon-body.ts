import type { BeaconTarget } from './beacon-target.ts'
import { type ByteString, decodeUtf8, encodeUtf8 } from './byte-string.ts'
import type { Rejection } from './event.ts'
import { appendJsonParams, isJsonObject, type JsonObject, jsonText, parseJsonObject } from './json-params.ts'
import { MAX_BULK_EVENTS, MAX_PARAMS } from './limits.ts'
import { ACTION, CATEGORY, CLIENT_TIME, CUT, EVENT_ID, NAME } from './names.ts'
import { getParam } from './params.ts'
import { appendParam, appendQuery, parseQuery } from './query.ts'
import { wellFormed } from './utf8.ts'
import { parseZonedTime } from './zoned-time.ts'

export interface BeaconParams {
  /** One list of parameters (as in params.ts) for each event. */
  events: string[][]
  /** How many items of a bulk are no events. */
  invalid: number
  /**
   * Those items as JSON. Logged as the body of a line of its own, each is rejected as `bad_body` there. Empty for a bulk of
   * more than `MAX_BULK_EVENTS`, of which nothing is taken: `events` is empty then and `invalid` is the number of items.
   */
  invalidItems: ByteString[]
}

/**
 * In a bulk the parameters of the URL belong to every event. No more than this many characters of them do: else one
 * request of 80 KiB would become 8 MiB of log.
 */
const MAX_SHARED_CHARS = 2048

const BAD_BODY: Rejection = { rejected: 'bad_body' }
const NOT_JSON: Rejection = { rejected: 'not_json' }

/**
 * The parameters of each event that a request carries: its query and its body together, the body's value where both have
 * a name. The only place that reads bodies: the gateway writes one line for each event (`formatQuery`), and `eventsOf`
 * reads a body that NGINX logged, so that both give the same events.
 *
 * `body` is '' when there is none. Its content type is not asked, as browsers send all of these as `text/plain` and
 * Matomo sends JSON as a form; after white space the first byte decides:
 *
 *     {"requests":["?e_c=a&…", {"e_c":"b"}]}    bulk: one event an item
 *     {"e_c":"a","e_v":3}                        one event; to /ingest the blog's {path, tag, id, timestamp}
 *     e_c=a&e_n=b+c   or   ?e_c=a               one event, `+` is a space
 *
 * `bad_body`: none of these (broken JSON, no `=` at all, multipart, XML, binary), or a bulk without items.
 * `not_json`: to /ingest, all that is no JSON object, an empty body too. Without a body /ingest is an event only when its
 * query has `e_c`, which is what the gateway writes for a good one.
 *
 * `pageOrigin` (scheme and host, see page-origin.ts) completes a relative `path` of /ingest.
 */
export function beaconParams(
  target: BeaconTarget,
  query: ByteString,
  body: ByteString,
  pageOrigin: string | undefined,
): BeaconParams | Rejection {
  const ingest = target.kind === 'ingest'
  // NGINX prints a body that is `-` as it prints a missing one, so both mean the same here.
  const content = body === '' || body === '-' ? '' : trimBody(body)
  if (content === '') {
    const params = parseQuery(query, false)
    return ingest && getParam(params, CATEGORY) === undefined ? NOT_JSON : oneEvent(params)
  }
  const url: string[] = []
  const own: string[] = []
  let cut = appendQuery(url, query, false)
  if (content.startsWith('{')) {
    const object = parseJsonObject(decodeUtf8(content))
    if (object === undefined) return ingest ? NOT_JSON : BAD_BODY
    if (ingest) cut = appendIngestParams(own, object, pageOrigin) || cut
    else {
      const items = object.requests
      if (Array.isArray(items)) return bulkParams(url, cut, items)
      cut = appendJsonParams(own, object) || cut
    }
  } else {
    if (ingest) return NOT_JSON
    if (!mayBeQuery(content)) return BAD_BODY
    cut = appendQuery(own, content.startsWith('?') ? content.slice(1) : content, true) || cut
  }
  return oneEvent(combine(url, own, cut))
}

function oneEvent(params: string[]): BeaconParams {
  return { events: [params], invalid: 0, invalidItems: [] }
}

/** Matomo's bulk request (https://developer.matomo.org/api-reference/tracking-api#bulk-tracking) */
function bulkParams(url: string[], urlCut: boolean, items: readonly unknown[]): BeaconParams | Rejection {
  if (items.length === 0) return BAD_BODY
  const events: string[][] = []
  const invalidItems: ByteString[] = []
  if (items.length > MAX_BULK_EVENTS) return { events, invalid: items.length, invalidItems }
  const shared = sharedParams(url)
  const sharedCut = urlCut || shared.cut
  for (const item of items) {
    const own: string[] = []
    let cut = sharedCut
    if (typeof item === 'string') cut = appendQuery(own, itemQuery(item), false) || cut
    else if (isJsonObject(item)) cut = appendJsonParams(own, item) || cut
    if (own.length === 0) invalidItems.push(encodeUtf8(invalidItemJson(item)))
    else events.push(combine(shared.params, own, cut))
  }
  return { events, invalid: invalidItems.length, invalidItems }
}

/** The item as the body of a line of its own, which `beaconParams` must reject: an empty object would pass as an event. */
function invalidItemJson(item: unknown): string {
  return isJsonObject(item)
    ? `[${jsonText(item) ?? '{}'}]`
    : typeof item === 'string'
      ? JSON.stringify(item)
      : (jsonText(item) ?? '[]')
}

/** What every event of a bulk has from the URL. An event id there would make all events but one look like repeats. */
function sharedParams(url: string[]): { params: string[]; cut: boolean } {
  const params: string[] = []
  let chars = 0
  let cut = false
  for (let i = 0; i + 1 < url.length; i += 2) {
    const name = url[i] as string
    const value = url[i + 1] as string
    if (name === EVENT_ID) continue
    chars += name.length + value.length
    if (chars > MAX_SHARED_CHARS) cut = true
    else params.push(name, value)
  }
  return { params, cut }
}

/** The query in an item: `?a=b`, `a=b`, or a whole URL. */
function itemQuery(item: string): ByteString {
  const bytes = encodeUtf8(item)
  const mark = bytes.indexOf('?')
  if (mark < 0) return bytes
  const equals = bytes.indexOf('=')
  return equals >= 0 && equals < mark ? bytes : bytes.slice(mark + 1)
}

/**
 * The blog's click `{path, tag, id, timestamp}` in our names, then all its fields as they are. A field that has one of our
 * names wins, as it comes later.
 */
function appendIngestParams(params: string[], payload: JsonObject, pageOrigin: string | undefined): boolean {
  const { path, tag, id, timestamp } = payload
  let cut = appendParam(params, CATEGORY, 'click')
  for (const [name, value] of [
    [ACTION, tag],
    [NAME, id],
  ] as const) {
    const text = value === undefined || value === null ? undefined : jsonText(value)
    if (text !== undefined) cut = appendParam(params, name, text) || cut
  }
  if (typeof path === 'string') {
    const url = path.startsWith('/') && pageOrigin !== undefined ? pageOrigin + path : path
    cut = appendParam(params, 'url', wellFormed(url)) || cut
  }
  const clientTime = typeof timestamp === 'string' ? parseZonedTime(timestamp, 0) : timestamp
  if (typeof clientTime === 'number' && Number.isFinite(clientTime))
    cut = appendParam(params, CLIENT_TIME, String(clientTime)) || cut
  return appendJsonParams(params, payload) || cut
}

/**
 * The URL's parameters that the body does not name, then the body's; `hw_cut=1` when anything is lost. Over the limit the
 * URL's give way.
 */
function combine(url: readonly string[], own: string[], urlOrOwnCut: boolean): string[] {
  let cut = urlOrOwnCut
  const params: string[] = []
  const room = 2 * MAX_PARAMS - own.length
  for (let i = 0; i + 1 < url.length; i += 2) {
    const name = url[i] as string
    if (getParam(own, name) !== undefined) continue
    if (params.length < room) params.push(name, url[i + 1] as string)
    else cut = true
  }
  for (const part of own) params.push(part)
  if (cut) params.push(CUT, '1')
  return params
}

/** The body without a byte order mark and without white space around it. */
function trimBody(body: ByteString): ByteString {
  let from = body.startsWith('\xef\xbb\xbf') ? 3 : 0
  let to = body.length
  while (from < to && isSpace(body.charCodeAt(from))) from++
  while (to > from && isSpace(body.charCodeAt(to - 1))) to--
  return from === 0 && to === body.length ? body : body.slice(from, to)
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}

/** Whether a body that is no JSON object can be a query string: not JSON of another kind, XML, multipart or binary. */
function mayBeQuery(content: ByteString): boolean {
  const first = content.charCodeAt(0)
  if (first < 0x20 || first === 0x22 || first === 0x3c || first === 0x5b || content.startsWith('--')) return false
  return content.includes('=')
}
