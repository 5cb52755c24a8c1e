import { connect } from 'node:net'

/** One answer, taken apart. */
export interface RawAnswer {
  status: number
  /** Lower-case names. */
  headers: Record<string, string>
  body: string
}

/**
 * Sends bytes (one character a byte) as they are and resolves with the answers, in their order: after `expect` of them, or when the server
 * closes, or fails with what came so far after 5 s. `expect: 0` waits for the end of the connection.
 */
export function rawHttp(
  port: number,
  bytes: string,
  options: { expect?: number; head?: boolean } = {},
): Promise<RawAnswer[]> {
  const expect = options.expect ?? 1
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let received = ''
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no answer within 5 s, only: ${JSON.stringify(received)}`))
    }, 5000)
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(readAnswers(received, options.head ?? false))
    }
    socket.on('data', data => {
      received += data.toString('latin1')
      if (expect > 0 && readAnswers(received, options.head ?? false).length >= expect) done()
    })
    socket.on('close', done)
    socket.on('error', () => {})
    socket.write(Buffer.from(bytes, 'latin1'))
  })
}

/** The whole answers at the beginning of what was received. */
function readAnswers(received: string, head: boolean): RawAnswer[] {
  const answers: RawAnswer[] = []
  let rest = received
  for (;;) {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) return answers
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n')
    const headers: Record<string, string> = {}
    for (const line of lines) {
      const colon = line.indexOf(':')
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
    }
    const status = Number(statusLine.split(' ')[1])
    // 100 Continue is no answer.
    const length = head || status === 100 ? 0 : Number(headers['content-length'] ?? 0)
    if (rest.length < end + 4 + length) return answers
    if (status !== 100) answers.push({ status, headers, body: rest.slice(end + 4, end + 4 + length) })
    rest = rest.slice(end + 4 + length)
  }
}

/** A request as browsers send it; `headers` are whole lines. */
export function get(target: string, ...headers: string[]): string {
  return [`GET ${target} HTTP/1.1`, 'Host: shop.example', ...headers, '', ''].join('\r\n')
}

export function post(target: string, body: string, ...headers: string[]): string {
  return [`POST ${target} HTTP/1.1`, 'Host: shop.example', `Content-Length: ${body.length}`, ...headers, '', body].join(
    '\r\n',
  )
}
