import { connect } from 'node:net'

export interface RawRequestOptions {
  /** Closes the connection when all is sent, without waiting for an answer. */
  hangUp?: boolean
  /** How many answers to wait for. Default 1. */
  answers?: number
}

const TIMEOUT_MS = 2_000

/**
 * Sends bytes (one character a byte) as they are over a connection of their own; resolves with the statuses of the answers, until
 * there are as many as awaited, the server closes, or says nothing more for 2 s.
 */
export function rawRequest(port: number, bytes: string, options: RawRequestOptions = {}): Promise<number[]> {
  const { answers = 1, hangUp = false } = options
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    let received = ''
    const statuses = () => [...received.matchAll(/^HTTP\/1\.[01] (\d{3}) /gm)].map(match => Number(match[1]))
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(statuses())
    }
    const timer = setTimeout(done, TIMEOUT_MS)
    socket.on('data', chunk => {
      received += chunk.toString('latin1')
      if (statuses().length >= answers) done()
    })
    socket.on('close', done)
    socket.on('error', done)
    socket.write(Buffer.from(bytes, 'latin1'), () => {
      if (hangUp) socket.end(done)
    })
  })
}

/** A request as browsers send it; `headers` are whole lines. */
export function get(target: string, ...headers: string[]): string {
  return [`GET ${target} HTTP/1.1`, 'Host: shop.example', ...headers, '', ''].join('\r\n')
}

/** `body`: one character a byte. */
export function post(target: string, body: string, ...headers: string[]): string {
  return [`POST ${target} HTTP/1.1`, 'Host: shop.example', `Content-Length: ${body.length}`, ...headers, '', body].join(
    '\r\n',
  )
}
