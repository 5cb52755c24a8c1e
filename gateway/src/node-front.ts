import { createServer, type IncomingMessage, type ServerOptions, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { MAX_BODY_BYTES } from '@headwater/core'
import { type Answer, BODY_TOO_LARGE_CLOSE, HTTP_TOO_OLD, TOO_SLOW } from './answer.ts'
import type { Certificate } from './certificate.ts'
import { plainAddress } from './client-address.ts'
import type { Front, FrontOptions, FrontRefusals, FrontRequest, Handle } from './front.ts'
import { GatewayError } from './gateway-error.ts'

/** As large as uWebSockets.js is told to take, see load-uws.ts. */
const MAX_HEADER_BYTES = 32 * 1024

export type NodeWaiting = ServerResponse

/** Sends an answer; returns false when the client has gone. */
export function deliverNode(response: NodeWaiting, answer: Answer): boolean {
  if (response.destroyed || response.headersSent) return false
  const { body } = answer
  response.writeHead(
    answer.status,
    body === undefined ? [...answer.headers] : [...answer.headers, 'Content-Length', String(body.length)],
  )
  // node:http leaves the body of an answer to HEAD away.
  response.end(body)
  return true
}

/**
 * The front end on node:http: runs everywhere, exact to the byte, at about two thirds of the speed of the other. What its
 * parser makes different: bytes from 0x7F on in a URL are answered with 400. It takes HTTP/1.0, absolute targets and
 * pipelining.
 */
export async function startNodeFront(
  options: FrontOptions,
  handle: Handle<NodeWaiting>,
  refusals: FrontRefusals,
): Promise<Front> {
  let receiving = 0
  let listening = true
  const serverOptions: ServerOptions = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: options.requestTimeoutMs,
    requestTimeout: options.requestTimeoutMs * 2,
    keepAliveTimeout: options.keepAliveMs,
    connectionsCheckingInterval: Math.min(1000, options.requestTimeoutMs),
    // Repeated headers are read from rawHeaders, and a line without Host is a line all the same.
    joinDuplicateHeaders: false,
    requireHostHeader: false,
  }
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const late = !listening
    const answerNow = (body: string): void => {
      const answer = handle(frontRequest(request, body, late), response)
      if (answer !== undefined) deliverNode(response, answer)
    }
    // The parser takes a bare `GET /5` for a request; for NGINX it is none either (it logs the status 009).
    if (request.httpVersionMajor === 0) {
      refusals.request(HTTP_TOO_OLD.status)
      deliverNode(response, HTTP_TOO_OLD)
      return
    }
    if (!hasBody(request)) {
      request.resume()
      answerNow('')
      return
    }
    if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) {
      refusals.request(413)
      deliverNode(response, BODY_TOO_LARGE_CLOSE)
      return
    }
    receiving++
    const chunks: Buffer[] = []
    let length = 0
    let done = false
    const end = (): boolean => {
      if (done) return false
      done = true
      receiving--
      return true
    }
    request.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length <= MAX_BODY_BYTES) chunks.push(chunk)
      else if (end()) {
        refusals.request(413)
        deliverNode(response, BODY_TOO_LARGE_CLOSE)
      }
    })
    request.on('end', () => {
      if (end()) answerNow(Buffer.concat(chunks, length).toString('latin1'))
    })
    // A client that goes away in the middle of its body has sent no event.
    request.on('error', end)
    request.on('close', end)
  }
  const { certificate } = options
  const server =
    certificate === undefined
      ? createServer(serverOptions, listener)
      : createTlsServer({ ...serverOptions, ...pem(certificate), handshakeTimeout: options.requestTimeoutMs }, listener)
  // For who does not take an answer; long after who does not finish a request has been answered with 408.
  server.timeout = options.requestTimeoutMs * 4
  if (options.maxConnections > 0) {
    server.maxConnections = options.maxConnections
    server.on('drop', () => refusals.connection())
  }
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
    const status = CLIENT_ERRORS[error.code ?? ''] ?? '400 Bad Request'
    refusals.request(Number.parseInt(status, 10))
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => {
      reject(
        new GatewayError('LISTEN_FAILED', `cannot listen for beacons. Found: ${options.host}:${options.port}.`, {
          cause: error,
        }),
      )
    })
    server.listen(options.port, options.host, resolve)
  })
  return {
    name: 'node',
    port: (server.address() as AddressInfo).port,
    receiving: () => receiving,
    useCertificate: next => {
      if (server instanceof TlsServer) server.setSecureContext(pem(next))
    },
    stopListening: () => {
      listening = false
      server.close()
      server.closeIdleConnections()
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function pem({ cert, key }: Certificate): { cert: Buffer; key: Buffer } {
  return { cert, key }
}

const CLIENT_ERRORS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: `${TOO_SLOW.status} Request Timeout`,
}

/** Bodies mean something on POST only; on other methods they are read and dropped. */
function hasBody(request: IncomingMessage): boolean {
  if (request.method !== 'POST') return false
  const length = request.headers['content-length']
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

function frontRequest(request: IncomingMessage, body: string, late: boolean): FrontRequest {
  const target = request.url ?? ''
  const authority = target.startsWith('/') ? '' : authorityOf(target)
  const url = authority === '' ? target : target.slice(authority.length)
  const mark = url.indexOf('?')
  const headers = request.headers
  return {
    late,
    method: request.method ?? '',
    authority,
    path: mark < 0 ? url : url.slice(0, mark),
    query: mark < 0 ? undefined : url.slice(mark + 1),
    protocol: `HTTP/${request.httpVersion}`,
    origin: headers.origin,
    referer: headers.referer,
    ifNoneMatch: headers['if-none-match'],
    cookie: headers.cookie,
    body,
    peer: plainAddress(request.socket.remoteAddress ?? ''),
    authorization: headers.authorization,
    userAgent: headers['user-agent'],
    // node:http joins repeated ones itself, with `, `.
    forwardedFor: headers['x-forwarded-for'] as string | undefined,
  }
}

/** `http://host` of an absolute target, '' of any other. */
function authorityOf(target: string): string {
  const scheme = target.indexOf('://')
  const slash = scheme < 0 ? -1 : target.indexOf('/', scheme + 3)
  return slash < 0 ? '' : target.slice(0, slash)
}
