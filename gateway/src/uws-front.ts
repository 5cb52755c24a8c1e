import { type ByteString, encodeUtf8, MAX_BODY_BYTES } from '@headwater/core'
import { type Answer, BODY_TOO_LARGE_CLOSE, TOO_SLOW } from './answer.ts'
import type { Certificate } from './certificate.ts'
import { addressText } from './client-address.ts'
import type { Front, FrontOptions, FrontRefusals, FrontRequest, Handle } from './front.ts'
import { GatewayError } from './gateway-error.ts'
import type { Uws, UwsApp, UwsRequest, UwsResponse } from './load-uws.ts'

/** An answer to HEAD has the length of a body and none. */
const HEAD = 'HEAD'

/** Without it two processes would share a port silently (SO_REUSEPORT). */
const LISTEN_EXCLUSIVE_PORT = 1

/** The request's method rides on the response: two arrays side by side would cost more than a field. */
export type UwsWaiting = UwsResponse & { headOnly?: boolean }

/**
 * Longer bodies are handed over as the client takes them. Else the library would keep the rest, once for every request of a
 * client that asks on and never reads.
 */
const MAX_KEPT_BYTES = 4096

function send(response: UwsWaiting, answer: Answer): void {
  const { head, body, close } = answer
  if (body === undefined) response.writeStatus(head).endWithoutBody()
  // endWithoutBody(length) is for a body that follows later, and would leave the request open.
  else if (response.headOnly === true)
    response.writeStatus(Buffer.concat([head, Buffer.from(`\r\nContent-Length: ${body.length}`)])).endWithoutBody()
  else if (body.length > MAX_KEPT_BYTES) {
    const [, done] = response.writeStatus(head).tryEnd(body, body.length)
    if (!done) response.onWritable(sent => response.tryEnd(body.subarray(sent), body.length)[0])
  } else response.writeStatus(head).end(body, close)
}

/** A body on its way. */
interface Reception {
  response: UwsWaiting
  /** Unix ms. */
  since: number
  /** Answered or aborted: what still comes is dropped. */
  over: boolean
}

let corkedResponse: UwsWaiting
let corkedAnswer: Answer
/** One function for all answers: a closure for each would be an allocation for each. */
const sendCorked = (): void => send(corkedResponse, corkedAnswer)

/** Sends an answer outside the request's callback; returns false when the client has gone. */
export function deliverUws(response: UwsWaiting, answer: Answer): boolean {
  corkedResponse = response
  corkedAnswer = answer
  try {
    response.cork(sendCorked)
    return true
  } catch {
    // It throws when the request was aborted. A flag set by an abort handler would need a closure for each request.
    return false
  }
}

const ignoreAbort = (): void => {}

/**
 * Every answer waits for the end of the turn, also one that needs no line: only while an answer is pending does the library
 * close a connection on which more requests come. It would take any number of them otherwise, and keep the answers.
 */
function deliverSoon(response: UwsWaiting, answer: Answer): void {
  setImmediate(deliverUws, response, answer)
}

const NON_ASCII = /[^\0-\x7f]/

/** Nearly every URL is ASCII, and then it is its own bytes: the look costs a third of the loop. */
function toBytes(text: string): ByteString {
  return NON_ASCII.test(text) ? encodeUtf8(text) : text
}

/** Texts of IPv4 peers by their four bytes. Bounded; begun anew when full. */
const peers = new Map<number, string>()
const MAX_PEERS = 10_000

/** The dearest call of a request (0.6 µs for its ArrayBuffer), so at least its text is made once a client. */
function peerAddress(response: UwsResponse): string {
  const bytes = response.getRemoteAddress()
  if (bytes.byteLength !== 4) return addressText(new Uint8Array(bytes))
  const key = new Int32Array(bytes)[0] as number
  let text = peers.get(key)
  if (text === undefined) {
    text = addressText(new Uint8Array(bytes))
    if (peers.size >= MAX_PEERS) peers.clear()
    peers.set(key, text)
  }
  return text
}

/** Comes as bytes, one character each, unlike the URL and what `forEach` gives: those are UTF-8 decoded. */
function header(request: UwsRequest, name: string): ByteString | undefined {
  const value = request.getHeader(name)
  return value === '' ? undefined : value
}

/**
 * The front end on uWebSockets.js: as fast as NGINX. What its parser makes different from node:http: HTTP/1.0 and absolute
 * targets are refused with 505; bytes of a URL that are no UTF-8 arrive as U+FFFD (which is what decoding makes of them later
 * anyway); bytes from 0x80 on at either end of a header's value are lost; and a request that comes before the last one is
 * answered (pipelining) ends the connection: its client sends again.
 */
export async function startUwsFront(
  uws: Uws,
  options: FrontOptions,
  handle: Handle<UwsWaiting>,
  refusals: FrontRefusals,
): Promise<Front> {
  const { maxConnections } = options
  const receiving = new Set<Reception>()
  let listening = true
  let connections = 0

  function countConnection(response: UwsResponse, change: number): void {
    connections += change
    if (change < 0 || connections <= maxConnections) return
    refusals.connection()
    response.close()
  }

  function makeApp(certificate: Certificate | undefined): UwsApp {
    const app = certificate === undefined ? uws.App() : tlsApp(uws, certificate)
    app.get('/*', (response: UwsWaiting, request) => answerWithoutBody(response, request, 'GET'))
    app.post('/*', (response: UwsWaiting, request) => {
      const whole = frontRequest(response, request, 'POST', !listening, options)
      receiveBody(response, Number(request.getHeader('content-length')), whole)
    })
    app.any('/*', (response: UwsWaiting, request) => {
      const method = request.getCaseSensitiveMethod()
      if (method === HEAD) response.headOnly = true
      answerWithoutBody(response, request, method)
    })
    if (maxConnections > 0) app.filter(countConnection)
    return app
  }

  function answerWithoutBody(response: UwsWaiting, request: UwsRequest, method: string): void {
    response.onAborted(ignoreAbort)
    const answer = handle(frontRequest(response, request, method, !listening, options), response)
    if (answer !== undefined) deliverSoon(response, answer)
  }

  function receiveBody(response: UwsWaiting, contentLength: number, request: FrontRequest): void {
    if (contentLength > MAX_BODY_BYTES) {
      refusals.request(413)
      response.onAborted(ignoreAbort)
      deliverSoon(response, BODY_TOO_LARGE_CLOSE)
      return
    }
    let chunks: Buffer[] | undefined
    let length = 0
    const reception: Reception = { response, since: Date.now(), over: false }
    response.onAborted(() => {
      reception.over = true
      receiving.delete(reception)
    })
    response.onData((chunk, isLast) => {
      if (reception.over) return
      length += chunk.byteLength
      if (length > MAX_BODY_BYTES) {
        refusals.request(413)
        refuse(reception, BODY_TOO_LARGE_CLOSE)
      } else if (isLast) {
        receiving.delete(reception)
        const last = Buffer.from(chunk)
        request.body = (chunks === undefined ? last : Buffer.concat([...chunks, last])).toString('latin1')
        const answer = handle(request, response)
        if (answer !== undefined) deliverSoon(response, answer)
      } else {
        // The chunk is valid in this callback only.
        chunks ??= []
        chunks.push(Buffer.from(chunk.slice(0)))
        receiving.add(reception)
      }
    })
  }

  function refuse(reception: Reception, answer: Answer): void {
    reception.over = true
    receiving.delete(reception)
    deliverSoon(reception.response, answer)
  }

  // uWebSockets.js itself closes connections that stay silent for 10 s; this is for bodies that trickle.
  const watch = setInterval(
    () => {
      const before = Date.now() - options.requestTimeoutMs
      for (const reception of receiving)
        if (reception.since < before) {
          refusals.request(TOO_SLOW.status)
          refuse(reception, TOO_SLOW)
        }
    },
    Math.min(1000, options.requestTimeoutMs),
  )
  watch.unref()

  const app = makeApp(options.certificate)
  /** Apps whose certificates were in force before; the last one has the one that is. They keep their connections. */
  const renewed: UwsApp[] = []
  const socket = await new Promise<object | false>(resolve => {
    app.listen(options.host, options.port, LISTEN_EXCLUSIVE_PORT, resolve)
  })
  if (socket === false) {
    clearInterval(watch)
    throw new GatewayError('LISTEN_FAILED', `cannot listen for beacons. Found: ${options.host}:${options.port}.`)
  }
  const stopListening = (): void => {
    if (listening) uws.us_listen_socket_close(socket)
    listening = false
  }
  return {
    name: 'uws',
    port: uws.us_socket_local_port(socket),
    receiving: () => receiving.size,
    stopListening,
    useCertificate: certificate => {
      // The listener stays: an app with a new certificate takes its connections.
      const next = makeApp(certificate)
      if (app.addChildAppDescriptor === undefined || app.removeChildAppDescriptor === undefined)
        throw new GatewayError('TLS_UNUSABLE', 'this uWebSockets.js takes a new certificate only after a restart.')
      const before = renewed.at(-1)
      app.addChildAppDescriptor(next.getDescriptor?.())
      if (before !== undefined) app.removeChildAppDescriptor(before.getDescriptor?.())
      renewed.push(next)
    },
    close: async () => {
      clearInterval(watch)
      stopListening()
      for (const one of [app, ...renewed]) one.close()
    },
  }
}

function tlsApp(uws: Uws, { certFile, keyFile }: Certificate): UwsApp {
  try {
    return uws.SSLApp({ cert_file_name: certFile, key_file_name: keyFile })
  } catch (cause) {
    throw new GatewayError('TLS_UNUSABLE', `uWebSockets.js cannot use the TLS files. Found: ${certFile}, ${keyFile}.`, {
      cause,
    })
  }
}

/**
 * Reads what the log line needs while the request is valid. Every call crosses into C++ (0.1 µs), so what only few requests
 * have is looked at closely only when its first look finds something.
 */
function frontRequest(
  response: UwsResponse,
  request: UwsRequest,
  method: string,
  late: boolean,
  { readsOrigin, readsCookie }: FrontOptions,
): FrontRequest {
  const query = request.getQuery()
  const path = request.getUrl()
  const whole: FrontRequest = {
    late,
    method,
    authority: '',
    path: toBytes(path),
    query: query === undefined ? undefined : toBytes(query),
    protocol: 'HTTP/1.1',
    origin: readsOrigin || path === '/ingest' ? header(request, 'origin') : undefined,
    referer: header(request, 'referer'),
    ifNoneMatch: path.startsWith('/headwater') ? header(request, 'if-none-match') : undefined,
    cookie: readsCookie ? header(request, 'cookie') : undefined,
    body: '',
    peer: peerAddress(response),
    authorization: header(request, 'authorization'),
    userAgent: header(request, 'user-agent'),
    forwardedFor: header(request, 'x-forwarded-for'),
  }
  if (whole.referer === undefined || whole.userAgent === undefined || whole.forwardedFor !== undefined)
    readAllHeaders(request, whole)
  return whole
}

/** Tells a missing header from an empty one, which NGINX logs as `-` and as nothing, and joins repeated X-Forwarded-For. */
function readAllHeaders(request: UwsRequest, whole: FrontRequest): void {
  let forwardedFor: string | undefined
  request.forEach((name, value) => {
    if (name === 'referer') whole.referer ??= value
    else if (name === 'user-agent') whole.userAgent ??= value
    else if (name === 'x-forwarded-for')
      forwardedFor = forwardedFor === undefined ? encodeUtf8(value) : `${forwardedFor}, ${encodeUtf8(value)}`
  })
  whole.forwardedFor = forwardedFor
}
