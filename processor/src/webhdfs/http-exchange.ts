import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Readable } from 'node:stream'

/** One HTTP request, with a limit on everything. */
export interface HttpExchange {
  method: string
  url: URL
  headers?: Readonly<Record<string, string>>
  /** Sent with its length. `open` is called once. */
  body?: HttpBody
  /** Longest time without a byte in either direction, connecting included, ms. */
  idleMs: number
  /** Longest time of the whole, ms. */
  totalMs: number
  /** Longest answer; a refusal (status 400 and above) may have 64 KiB in any case. */
  maxBytes: number
  /** Authorities to trust for HTTPS instead of Node's own list, PEM. */
  ca?: string | undefined
}

export interface HttpBody {
  bytes: number
  open(): Readable
}

export interface HttpAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** A DataNode puts its stack trace into the refusal to read six bytes. */
const MAX_REFUSAL_BYTES = 64 * 1024

/** No answer, or only a part of one. */
export class HttpFault extends Error {
  /** Node's code (`ECONNREFUSED`), `TIMEOUT` or `TOO_LONG`. */
  readonly code: string
  /** Whether the server may have got the request, and may yet do what it asks. */
  readonly sent: boolean
  /** The server's IP address, as far as it came. */
  readonly address: string | undefined

  constructor(code: string, message: string, sent: boolean, address: string | undefined, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'HttpFault'
    this.code = code
    this.sent = sent
    this.address = address
  }
}

/**
 * Makes one request on a connection of its own and reads the whole answer; rejects with HttpFault when there is none.
 *
 * `node:http`, because a DataNode says `100 Continue` unasked, which fetch (undici) takes for a protocol error, after the
 * file is written. No keep-alive: a restarted NameNode leaves dead sockets in a pool, and the first call on one is lost.
 */
export function exchange(options: HttpExchange): Promise<HttpAnswer> {
  const { method, url, body, idleMs, totalMs, maxBytes } = options
  return new Promise((resolve, reject) => {
    const secure = url.protocol === 'https:'
    const headers = { ...options.headers, ...(body && { 'content-length': String(body.bytes) }) }
    const request = (secure ? httpsRequest : httpRequest)(url, {
      method,
      headers,
      agent: false,
      timeout: idleMs,
      ...(secure && options.ca !== undefined && { ca: options.ca }),
    })
    let connected = false
    let address: string | undefined
    let answered = false
    let source: Readable | undefined

    const end = (): void => {
      clearTimeout(timer)
      source?.destroy()
      request.destroy()
    }
    const fail = (code: string, message: string, cause?: unknown): void => {
      const at = address ?? (cause as { address?: string } | undefined)?.address
      reject(new HttpFault(code, `${message} (${method} ${url.host})`, connected, at, cause))
      end()
    }
    const timer = setTimeout(() => fail('TIMEOUT', `not done within ${totalMs} ms`), totalMs)

    request.on('socket', socket => {
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        connected = true
        address = socket.remoteAddress
      })
    })
    request.on('timeout', () => fail('TIMEOUT', `silent for ${idleMs} ms`))
    request.on('error', (error: NodeJS.ErrnoException) => {
      // Refused before the whole body was sent, a server answers and closes: what it said counts, when it got here in time.
      if (!answered) fail(error.code ?? 'ERROR', error.message, error)
    })
    request.on('response', response => {
      answered = true
      const status = response.statusCode ?? 0
      readWhole(response, status >= 400 ? Math.max(maxBytes, MAX_REFUSAL_BYTES) : maxBytes).then(
        content => {
          resolve({ status, headers: response.headers, body: content })
          end()
        },
        (error: NodeJS.ErrnoException) => fail(error.code ?? 'ERROR', error.message, error),
      )
    })
    if (body === undefined) request.end()
    else {
      source = body.open()
      source.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? 'ERROR', error.message, error))
      source.pipe(request)
    }
  })
}

async function readWhole(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) {
      throw Object.assign(new Error(`an answer of more than ${maxBytes} bytes`), { code: 'TOO_LONG' })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
