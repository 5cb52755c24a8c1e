/** What can go wrong at the start of a gateway, by code. */
export type GatewayErrorCode =
  /** A port is taken, or may not be opened. */
  | 'LISTEN_FAILED'
  /** The log file cannot be opened for writing. */
  | 'LOG_UNWRITABLE'
  | 'OPTIONS_INVALID'
  /** The certificate or its key cannot be read, or they do not belong together. */
  | 'TLS_UNUSABLE'
  /** `frontEnd: 'uws'` was asked for, and its binary does not load here. */
  | 'UWS_MISSING'

/** An error with a code and a sentence that ends with the value found. */
export class GatewayError extends Error {
  readonly code: GatewayErrorCode
  readonly retryable: boolean

  constructor(code: GatewayErrorCode, message: string, options: { retryable?: boolean; cause?: unknown } = {}) {
    super(`${code}: ${message}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'GatewayError'
    this.code = code
    this.retryable = options.retryable ?? false
  }
}
