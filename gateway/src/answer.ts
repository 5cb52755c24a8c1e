/** A whole HTTP answer. The common ones are made once and shared by all requests. */
export interface Answer {
  readonly status: number
  /** Name, value, name, value, … */
  readonly headers: readonly string[]
  /** `undefined` only for 204, which has no body. */
  readonly body: Buffer | undefined
  /** Whether the connection ends with this answer. */
  readonly close: boolean
  /** `204 No Content` and all headers as they go on the wire: one write in place of one for each header. */
  readonly head: Uint8Array
  /** `" $status $body_bytes_sent "`: what stands between `$request` and the referer in its log lines. */
  readonly logged: string
}

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  304: 'Not Modified',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
}

/** Any page may read the answer, whatever its origin: nothing secret ever stands in one. */
const CORS = ['Access-Control-Allow-Origin', '*']
/** A beacon answered from a cache would be a lost event. */
const NO_STORE = ['Cache-Control', 'no-store']
/** Lets pages with `Cross-Origin-Embedder-Policy: require-corp` load it. */
const CROSS_ORIGIN = ['Cross-Origin-Resource-Policy', 'cross-origin']

export function makeAnswer(
  status: number,
  headers: readonly string[],
  body?: string | Buffer,
  options: { close?: boolean } = {},
): Answer {
  const close = options.close ?? false
  const all = [...CORS, ...headers]
  if (close) all.push('Connection', 'close')
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const logged = `" ${status} ${bytes === undefined ? 0 : bytes.length} "`
  return { status, headers: all, body: bytes, close, head: headOf(status, all), logged }
}

/**
 * The same answer for one page that sends credentials: browsers give it to that page only when it names the page's origin
 * (https://fetch.spec.whatwg.org/#http-access-control-allow-credentials). `origin` undefined: nobody needs leave.
 */
export function answerTo(origin: string | undefined, answer: Answer, setCookie: string | undefined): Answer {
  const headers =
    origin === undefined
      ? [...answer.headers]
      : [
          ...['Access-Control-Allow-Origin', origin, 'Access-Control-Allow-Credentials', 'true', 'Vary', 'Origin'],
          ...answer.headers.slice(CORS.length),
        ]
  if (setCookie !== undefined) headers.push('Set-Cookie', setCookie)
  return { ...answer, headers, head: headOf(answer.status, headers) }
}

function headOf(status: number, headers: readonly string[]): Uint8Array {
  let head = `${status} ${REASONS[status] ?? 'Unknown'}`
  for (let i = 0; i < headers.length; i += 2) head += `\r\n${headers[i]}: ${headers[i + 1]}`
  return Buffer.from(head, 'latin1')
}

/** A refusal, with its reason as text for whoever reads it in a terminal. */
function refusal(status: number, sentence: string, headers: readonly string[] = [], close = false): Answer {
  return makeAnswer(status, ['Content-Type', 'text/plain; charset=utf-8', ...NO_STORE, ...headers], `${sentence}\n`, {
    close,
  })
}

/** Seconds until it is worth trying again. A script of another origin sees the header only when it is exposed. */
function retryAfter(seconds: number): string[] {
  return ['Retry-After', String(seconds), 'Access-Control-Expose-Headers', 'Retry-After']
}

export function jsonAnswer(json: string): Answer {
  const headers = ['Content-Type', 'application/json', 'X-Content-Type-Options', 'nosniff', ...NO_STORE]
  return makeAnswer(200, headers, json)
}

/** The transparent pixel that Matomo sends, 43 bytes. */
const GIF = Buffer.from('R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64')

export const ACCEPTED: Answer = makeAnswer(204, NO_STORE)
export const PIXEL: Answer = makeAnswer(200, ['Content-Type', 'image/gif', ...NO_STORE, ...CROSS_ORIGIN], GIF)
export const PREFLIGHT: Answer = makeAnswer(204, [
  'Access-Control-Allow-Methods',
  'GET, POST, HEAD',
  'Access-Control-Allow-Headers',
  'content-type',
  'Access-Control-Max-Age',
  '86400',
])
export const ROBOTS: Answer = makeAnswer(
  200,
  ['Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'public, max-age=86400'],
  'User-agent: *\nDisallow: /\n',
)
export const FAVICON: Answer = makeAnswer(204, ['Cache-Control', 'public, max-age=86400'])
export const NOT_FOUND: Answer = refusal(404, 'Nothing here. Beacons go to /{scenario_id}, /matomo.php or /ingest.')
export const NO_SDK: Answer = refusal(
  404,
  'The SDK file is not installed here. Build it (npm run build) and name its folder in gateway.sdkDir.',
)
export const METHOD_NOT_ALLOWED: Answer = refusal(405, 'This path takes GET, HEAD, POST and OPTIONS.', [
  'Allow',
  'GET, HEAD, POST, OPTIONS',
])
export const POST_ONLY: Answer = refusal(405, 'This path takes POST and OPTIONS.', ['Allow', 'POST, OPTIONS'])
export const READ_ONLY: Answer = refusal(405, 'This path takes GET and HEAD.', ['Allow', 'GET, HEAD, OPTIONS'])
export const TOO_SLOW: Answer = refusal(408, 'The request did not arrive in time.', [], true)
export const BODY_TOO_LARGE: Answer = refusal(413, 'A body holds at most 65536 bytes and 500 events.')
/** For a body that is not read to its end. */
export const BODY_TOO_LARGE_CLOSE: Answer = refusal(413, 'A body holds at most 65536 bytes and 500 events.', [], true)
export const URL_TOO_LONG: Answer = refusal(414, 'A URL holds at most 16384 bytes.')
export const TOO_MANY: Answer = refusal(429, 'Too many requests. Please send again later.', retryAfter(1))
export const LOG_UNWRITABLE: Answer = refusal(
  503,
  'The log cannot be written now. Please send again later.',
  retryAfter(5),
)
export const DRAINING: Answer = refusal(503, 'This gateway is stopping.', retryAfter(1), true)
export const HTTP_TOO_OLD: Answer = refusal(505, 'This server takes HTTP/1.0 and HTTP/1.1.', [], true)
