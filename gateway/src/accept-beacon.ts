import {
  type BeaconTarget,
  type ByteString,
  beaconParams,
  beaconTarget,
  CUT,
  decodeUtf8,
  formatQuery,
  getParam,
  joinedQuery,
  type LogFormat,
  MAX_URL_BYTES,
  type Params,
  pageOrigin,
  parseQuery,
  queryWithBadBody,
} from '@headwater/core'
import {
  ACCEPTED,
  type Answer,
  BODY_TOO_LARGE,
  FAVICON,
  jsonAnswer,
  METHOD_NOT_ALLOWED,
  NO_SDK,
  NOT_FOUND,
  PIXEL,
  POST_ONLY,
  PREFLIGHT,
  READ_ONLY,
  ROBOTS,
  URL_TOO_LONG,
} from './answer.ts'
import { isSdkPath, type SdkFiles, sdkAnswer } from './sdk-files.ts'

/** A request as a front end hands it over, whole: raw bytes, nothing decoded. */
export interface BeaconRequest {
  /** As sent, upper case. */
  method: string
  /** What stands before the path in the absolute form that proxies use, `http://host`; '' otherwise. */
  authority: ByteString
  path: ByteString
  /** Behind the `?`; undefined when there is no `?`. */
  query: ByteString | undefined
  /** `HTTP/1.1` */
  protocol: string
  origin: ByteString | undefined
  referer: ByteString | undefined
  ifNoneMatch: ByteString | undefined
  /** Read only when the gateway keeps the visitor's id in one. */
  cookie: ByteString | undefined
  /** '' when there is none. A body on GET or HEAD means nothing and is never handed over. */
  body: ByteString
}

export interface AcceptOptions {
  logFormat: LogFormat
  sdkFiles: SdkFiles
}

/** What differs between the lines of one request: all else is the request's. */
export interface BeaconLine {
  /** What stands behind the `?` in `$request`; undefined: no `?`. */
  query: ByteString | undefined
  /** Nothing in `query` needs escaping, and nobody has to look whether it does. */
  isPlain: boolean
  /** `$request_body`: only of what could not be read, so that a dead letter shows it. */
  body: ByteString | undefined
  /** The parameters that say of which site it is; undefined: those of `query`, which nobody has taken apart. */
  params: Params | undefined
}

export interface Accepted {
  answer: Answer
  /** One line for each event, to be in the log before the answer is sent. Empty: nothing is logged. */
  lines: readonly BeaconLine[]
  /** How many of the lines stand for a body, or an item of a bulk, that is no event. */
  invalid: number
  /** How many events of a body were cut to the limits. */
  cut: number
}

const NO_LINES: readonly BeaconLine[] = []

function unlogged(answer: Answer): Accepted {
  return { answer, lines: NO_LINES, invalid: 0, cut: 0 }
}

/**
 * What a request means: the answer, and the lines that must be in the log before it. Pure: front ends bring requests, the
 * line writer writes. Content never makes a beacon fail, as a page cannot act on a 400: what cannot be read is logged
 * as it came and becomes a dead letter later.
 *
 *     GET  /{scenario_id}?…              204, or the image when send_image is 1
 *     POST /{scenario_id}                204
 *     GET, POST /matomo.php, /piwik.php  the image, or 204 when send_image is exactly `0`
 *     POST of a bulk to these            200 {"status":"success","tracked":n,"invalid":m}
 *     POST /ingest                       200 {"status":"ok","received":…}
 *     HEAD on the first and third        as GET, not logged
 *     OPTIONS                            204, CORS
 *     GET, HEAD  /headwater.js, /headwater-<version>.js, /robots.txt, /favicon.ico
 *
 * Matomo compares with the text `0` (`core/Tracker/Response.php`), so `send_image=00`, which its tag manager sends, is the
 * image there; on a scenario's path, where the original answered 204 to everything, it is 204.
 */
export function acceptBeacon(request: BeaconRequest, options: AcceptOptions): Accepted {
  const { method, path, query, body } = request
  if (path.length + (query === undefined ? 0 : query.length + 1) > MAX_URL_BYTES) return unlogged(URL_TOO_LONG)
  if (method === 'OPTIONS') return unlogged(PREFLIGHT)
  const target = beaconTarget(path)
  if (target === undefined) return unlogged(fileAnswer(request, options))
  if (target.kind === 'ingest' && method !== 'POST') return unlogged(POST_ONLY)
  if (method === 'HEAD') return unlogged(beaconAnswer(target, query, undefined))
  if (method !== 'GET' && method !== 'POST') return unlogged(METHOD_NOT_ALLOWED)

  if (body === '' && target.kind !== 'ingest')
    return {
      answer: beaconAnswer(target, query, undefined),
      lines: [{ query, isPlain: false, body: undefined, params: undefined }],
      invalid: 0,
      cut: 0,
    }
  return acceptBody(request, target, options)
}

function acceptBody(request: BeaconRequest, target: BeaconTarget, options: AcceptOptions): Accepted {
  const query = request.query ?? ''
  if (target.kind !== 'ingest') {
    const joined = joinedQuery(query, request.body)
    if (joined?.includes('send_image') === false) return acceptJoined(target, joined)
  }
  // Only /ingest needs it, and it is not free.
  const page = target.kind === 'ingest' ? pageOrigin(request.origin, request.referer) : undefined
  const params = beaconParams(target, query, request.body, page)
  if ('rejected' in params) {
    const answer = target.kind === 'ingest' ? ingestAnswer(request.body) : beaconAnswer(target, query, undefined)
    return { answer, lines: [unreadLine(request, request.query, request.body, options)], invalid: 1, cut: 0 }
  }
  // Nothing is taken of a bulk of more than 500 events.
  if (params.events.length === 0 && params.invalid > 0 && params.invalidItems.length === 0)
    return unlogged(BODY_TOO_LARGE)

  const lines: BeaconLine[] = []
  let cut = 0
  for (const event of params.events) {
    lines.push({ query: formatQuery(event), isPlain: true, body: undefined, params: event })
    if (event.at(-2) === CUT) cut++
  }
  for (const item of params.invalidItems) lines.push(unreadLine(request, undefined, item, options))
  return { answer: answerOf(request, target, params.events, params.invalid), lines, invalid: params.invalid, cut }
}

/** A body that is one event whatever its parameters are, and needs no other form in the log: most bodies are. */
function acceptJoined(target: BeaconTarget, query: ByteString): Accepted {
  return {
    answer: beaconAnswer(target, undefined, undefined),
    lines: [{ query, isPlain: true, body: undefined, params: undefined }],
    invalid: 0,
    cut: 0,
  }
}

function answerOf(request: BeaconRequest, target: BeaconTarget, events: readonly string[][], invalid: number): Answer {
  if (target.kind === 'ingest') return ingestAnswer(request.body)
  // A body that begins like JSON and is not one event is a bulk, also one of a single item or none.
  if (target.kind === 'matomo' && isBulk(request.body))
    return jsonAnswer(`{"status":"success","tracked":${events.length},"invalid":${invalid}}`)
  return beaconAnswer(target, request.query, events[0])
}

/** Matomo's own test (`plugins/BulkTracking/Tracker/Requests.php`), on a body that is already known to be good. */
function isBulk(body: ByteString): boolean {
  const start = body.slice(0, 64).trimStart()
  return (start.startsWith('{') || start.startsWith('\xef\xbb\xbf')) && body.includes('"requests"')
}

/** The original's answer: the payload as it was sent, or as text when it is not JSON. */
function ingestAnswer(body: ByteString): Answer {
  const text = decodeUtf8(body)
  try {
    JSON.parse(text)
    // The text itself, not what JavaScript made of it: numbers keep their digits, and keys their order.
    return jsonAnswer(`{"status": "ok", "received": ${text.trim()}}`)
  } catch {
    return jsonAnswer(`{"status": "ok", "received": {"raw": ${JSON.stringify(text)}}}`)
  }
}

/** 204 or the image. The URL's `send_image` counts before the body's, as in Matomo. */
function beaconAnswer(
  target: BeaconTarget,
  query: ByteString | undefined,
  body: readonly string[] | undefined,
): Answer {
  const sendImage = sendImageOf(query) ?? (body === undefined ? undefined : getParam(body, 'send_image'))
  const image = target.kind === 'matomo' ? sendImage !== '0' : sendImage === '1'
  return image ? PIXEL : ACCEPTED
}

/** The value of `send_image` in a query. Nearly all queries of our own SDK are without: one search says so. */
function sendImageOf(query: ByteString | undefined): string | undefined {
  if (query === undefined || !query.includes('send_image')) return undefined
  return getParam(parseQuery(query, false), 'send_image')
}

/** A line for what is no event: with the body, so that the reader rejects it for the same reason and keeps it. */
function unreadLine(
  request: BeaconRequest,
  query: ByteString | undefined,
  body: ByteString,
  options: AcceptOptions,
): BeaconLine {
  const params = parseQuery(request.query ?? '', false)
  if (options.logFormat === 'headwater') return { query, isPlain: false, body, params }
  return { query: queryWithBadBody(query ?? '', body), isPlain: false, body: undefined, params }
}

function fileAnswer(request: BeaconRequest, options: AcceptOptions): Answer {
  const { method, path } = request
  const file = options.sdkFiles.get(path)
  const known = file !== undefined || path === '/robots.txt' || path === '/favicon.ico' || isSdkPath(path)
  if (!known) return NOT_FOUND
  if (method !== 'GET' && method !== 'HEAD') return READ_ONLY
  if (file !== undefined) return sdkAnswer(file, request.ifNoneMatch)
  if (path === '/robots.txt') return ROBOTS
  return path === '/favicon.ico' ? FAVICON : NO_SDK
}
