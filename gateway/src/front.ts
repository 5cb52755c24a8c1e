import type { BeaconRequest } from './accept-beacon.ts'
import type { Answer } from './answer.ts'
import type { Certificate } from './certificate.ts'

/** Where a request came from, beside what it asks for. Raw bytes; undefined: not sent. */
export interface RequestHeaders {
  /** The peer's address as text. */
  peer: string
  authorization: string | undefined
  userAgent: string | undefined
  /** All such headers, joined with `, ` as NGINX does. */
  forwardedFor: string | undefined
}

/** What every front end listens with. A refusal that the front end makes itself is only counted. */
export interface FrontOptions {
  host: string
  port: number
  requestTimeoutMs: number
  keepAliveMs: number
  /** Connections beyond these are closed at once. 0: as many as there are. */
  maxConnections: number
  /** `Origin` is wanted with every request, not only with those to /ingest. */
  readsOrigin: boolean
  /** `Cookie` is wanted. */
  readsCookie: boolean
  /** TLS; undefined: plain HTTP. */
  certificate: Certificate | undefined
}

/** What a front end refuses by itself: the gateway counts it. */
export interface FrontRefusals {
  request(status: number): void
  connection(): void
}

/**
 * A server that takes HTTP apart and hands whole requests to a `RequestHandler`. Both pass the same contract suite
 * (`test/contracts/front.ts`), apart from what it lists as a difference.
 */
export interface Front {
  readonly name: 'uws' | 'node'
  readonly port: number
  /** Requests whose body is still on its way. */
  receiving(): number
  /** Takes no new connections; requests that begin on old ones from now on are handed over as `late`. */
  stopListening(): void
  /**
   * New connections get this certificate; old ones keep theirs. Throws when it cannot be used, and then nothing has
   * changed. Only for a front end that began with one.
   */
  useCertificate(certificate: Certificate): void
  /** Ends all connections. */
  close(): Promise<void>
}

/** The request that a front end has received whole. */
export interface FrontRequest extends BeaconRequest, RequestHeaders {
  /** It began after `stopListening`. */
  late: boolean
}

/** What happens to a whole request: the answer to send at once, or undefined when it comes later, to `waiting`. */
export type Handle<Waiting> = (request: FrontRequest, waiting: Waiting) => Answer | undefined
