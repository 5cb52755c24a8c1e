import { createRequire } from 'node:module'

/** As much of uWebSockets.js as is used here: a subset of its 20.30 and 20.51. */
export interface Uws {
  App(): UwsApp
  /** Throws when the files cannot be used. */
  SSLApp(options: { cert_file_name: string; key_file_name: string }): UwsApp
  us_listen_socket_close(socket: object): void
  us_socket_local_port(socket: object): number
}

export interface UwsApp {
  any(pattern: string, handler: (response: UwsResponse, request: UwsRequest) => void): UwsApp
  get(pattern: string, handler: (response: UwsResponse, request: UwsRequest) => void): UwsApp
  post(pattern: string, handler: (response: UwsResponse, request: UwsRequest) => void): UwsApp
  listen(host: string, port: number, options: number, callback: (socket: object | false) => void): UwsApp
  close(): UwsApp
  /** Calls back with 1 when a connection opens (before any TLS handshake) and with −1 when it has closed. */
  filter(callback: (response: UwsResponse, change: number) => void): UwsApp
  /**
   * From now on this app only accepts connections and hands them to its children in turn, which may have other
   * certificates. Without children it serves them itself. 20.51 has them, its declarations do not.
   */
  addChildAppDescriptor?(descriptor: unknown): void
  removeChildAppDescriptor?(descriptor: unknown): void
  getDescriptor?(): unknown
}

/** Valid until it is answered or aborted; after that every call throws. */
export interface UwsResponse {
  writeStatus(status: Uint8Array): UwsResponse
  end(body: Uint8Array, closeConnection: boolean): UwsResponse
  /** Hands over as much of the body as the client takes now. Whether it took all of it, and whether the answer is done. */
  tryEnd(body: Uint8Array, totalBytes: number): [ok: boolean, done: boolean]
  /** Calls back when the client takes more, until that returns true. `sent`: bytes of the body that are on their way. */
  onWritable(handler: (sent: number) => boolean): UwsResponse
  endWithoutBody(): UwsResponse
  onAborted(handler: () => void): UwsResponse
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): UwsResponse
  cork(callback: () => void): UwsResponse
  getRemoteAddress(): ArrayBuffer
  /** Ends the connection at once, without an answer. */
  close(): UwsResponse
}

/** Valid within its callback only. */
export interface UwsRequest {
  getCaseSensitiveMethod(): string
  /** UTF-8 decoded, bad bytes as U+FFFD; up to the `?`. */
  getUrl(): string
  /** UTF-8 decoded; undefined when there is no `?`. */
  getQuery(): string | undefined
  /** One character a byte (measured on 20.51); '' both for a missing header and for an empty one. The first of several. */
  getHeader(lowerCaseName: string): string
  /** UTF-8 decoded. */
  forEach(callback: (lowerCaseName: string, value: string) => void): void
}

/** The addon reads it once, when it is loaded: 4096 bytes of headers are the default, and long URLs need more. */
const HEADER_LIMIT = 'UWS_HTTP_MAX_HEADERS_SIZE'

/** uWebSockets.js, or the reason why its binary does not load here (Node version, libc, not installed). */
export function loadUws(): { uws: Uws } | { missing: string } {
  process.env[HEADER_LIMIT] ??= '32768'
  try {
    return { uws: createRequire(import.meta.url)('uWebSockets.js') as Uws }
  } catch (error) {
    return { missing: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error) }
  }
}
