import {
  type BeaconTarget,
  type ByteString,
  beaconParams,
  formatLogLine,
  formatQuery,
  type LogFormat,
  type LogRecord,
  pageOrigin,
  queryWithBadBody,
} from '@headwater/core'

/** One request as an edge gets it; all parts are raw bytes. */
export interface SentRequest {
  method: string
  path: ByteString
  target: BeaconTarget
  query: ByteString
  body: ByteString
  referer?: ByteString
}

export const RECEIVED_AT = 1795342920123

/** The one line that NGINX with `$request_body` writes. */
export function nginxLine(sent: SentRequest): ByteString {
  return line(sent, sent.query, sent.body, 'headwater')
}

/**
 * The lines that the gateway writes: one an event, with the event's parameters as the query; a body that cannot be read is
 * logged as it came.
 */
export function gatewayLines(sent: SentRequest, format: LogFormat): ByteString[] {
  const unreadable = (query: ByteString, body: ByteString) =>
    format === 'headwater' ? line(sent, query, body, format) : line(sent, queryWithBadBody(query, body), '', format)
  const beacon = beaconParams(sent.target, sent.query, sent.body, pageOrigin(undefined, sent.referer))
  if ('rejected' in beacon) return [unreadable(sent.query, sent.body)]
  return [
    ...beacon.events.map(params => line(sent, formatQuery(params), '', format)),
    ...beacon.invalidItems.map(item => unreadable('', item)),
  ]
}

function line(sent: SentRequest, query: ByteString, body: ByteString, format: LogFormat): ByteString {
  const record: LogRecord = {
    remoteAddr: '192.0.2.1',
    remoteUser: undefined,
    timeLocal: Math.floor(RECEIVED_AT / 1000) * 1000,
    request: `${sent.method} ${sent.path}${query === '' ? '' : `?${query}`} HTTP/1.1`,
    status: 204,
    bodyBytesSent: 0,
    referer: sent.referer,
    userAgent: 'Mozilla/5.0',
    forwardedFor: undefined,
    requestId: undefined,
    msec: RECEIVED_AT,
    requestBody: body === '' ? undefined : body,
  }
  return formatLogLine(record, format)
}
