import { ProcessorError, type ProcessorErrorCode } from '../errors.ts'

/** What is known of an error of kafkajs; its classes are not all exported, so it is read by shape. */
interface KafkaFault {
  name?: string
  message?: string
  /** Of a protocol error: `UNKNOWN_TOPIC_OR_PARTITION` … */
  type?: string
  /** Of a socket: `ECONNREFUSED` … */
  code?: string | number
  broker?: string
  cause?: unknown
  errors?: unknown[]
}

const TLS_CODES = /^(CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|EPROTO$)/
const TLS_MESSAGE = /certificate|wrong version number|SSL routines|tls alert/i

/**
 * An error of kafkajs as one of ours: `doing` begins the sentence, what was found ends it. Errors of ours pass through.
 * A refused login or certificate is for a person, so it is not retryable; all else may pass by itself, a topic that is made
 * and a right that is given included.
 */
export function kafkaError(error: unknown, doing: string): ProcessorError {
  if (error instanceof ProcessorError) return error
  const fault = rootFault(error)
  const make = (code: ProcessorErrorCode, hint: string, { retryable } = { retryable: false }): ProcessorError => {
    const where = fault.broker === undefined ? '' : ` at ${fault.broker}`
    const found = fault.type ?? fault.message ?? String(error)
    return new ProcessorError(code, `${doing}: ${hint}. Found: ${found}${where}.`, { retryable, cause: error })
  }
  const { name = '', type = '' } = fault
  if (name === 'KafkaJSSASLAuthenticationError' || type === 'SASL_AUTHENTICATION_FAILED')
    return make('KAFKA_LOGIN_REFUSED', 'the broker refused user or password; correct `kafka.sasl`')
  if (type === 'UNSUPPORTED_SASL_MECHANISM' || type === 'ILLEGAL_SASL_STATE')
    return make('KAFKA_LOGIN_REFUSED', 'the broker asks for another way to log in; correct `kafka.sasl.mechanism`')
  if (TLS_CODES.test(String(fault.code ?? '')) || TLS_MESSAGE.test(fault.message ?? ''))
    return make('KAFKA_TLS_REFUSED', 'no TLS connection; correct `kafka.tls` (CA file, server name) or the port')
  if (type.endsWith('_AUTHORIZATION_FAILED'))
    return make('KAFKA_DENIED', 'the broker denies it to this user; give it the right (an ACL) for it', {
      retryable: true,
    })
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION')
    return make('TOPIC_MISSING', 'there is no such topic or partition; run `headwater topics`', { retryable: true })
  if (name === 'KafkaJSNotImplemented')
    return make(
      'KAFKA_UNREADABLE',
      'the records are compressed in a way that cannot be read; send them with gzip or none',
    )
  return make('KAFKA_UNAVAILABLE', 'Kafka does not answer as it should', { retryable: true })
}

/** The protocol error's name behind an error of kafkajs, or ''. */
export function kafkaErrorType(error: unknown): string {
  return rootFault(error).type ?? ''
}

function rootFault(error: unknown): KafkaFault {
  let fault = (error ?? {}) as KafkaFault
  for (let depth = 0; depth < 8; depth++) {
    const inner = fault.errors?.[0] ?? fault.cause
    if (fault.type !== undefined || typeof inner !== 'object' || inner === null) break
    fault = inner as KafkaFault
  }
  return fault
}
