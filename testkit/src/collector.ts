import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** One request as it arrived. */
export interface ReceivedRequest {
  method: string
  /** Path and query, not decoded. */
  target: string
  body: string
  headers: IncomingHttpHeaders
}

/** How the collector answers from now on; may be changed at any time. */
export interface CollectorBehaviour {
  /** Default 204. 0 cuts the connection without an answer. */
  status: number
  latencyMs: number
  /** Never answers. */
  hang: boolean
  headers: Record<string, string>
}

/** Records what arrives, and misbehaves on request. Answers like the real one: CORS for everybody. */
export interface Collector {
  /** `http://127.0.0.1:port`. */
  origin: string
  received: ReceivedRequest[]
  behaviour: CollectorBehaviour
  /** Files to serve beside the beacons, by path: `{ '/headwater.js': { type: 'text/javascript', body } }`. */
  files: Map<string, { type: string; body: string | Buffer; headers?: Record<string, string> }>
  /** Forgets what arrived and behaves well again. */
  reset(): void
  close(): Promise<void>
}

const wellBehaved = (): CollectorBehaviour => ({ status: 204, latencyMs: 0, hang: false, headers: {} })

/** Listens on a free loopback port. */
export async function startCollector(): Promise<Collector> {
  const sockets = new Set<Socket>()
  const received: ReceivedRequest[] = []
  const files: Collector['files'] = new Map()
  const timers = new Set<NodeJS.Timeout>()

  const server = createServer((request, response) => {
    const target = request.url ?? ''
    const file = files.get(target.split('?')[0] ?? '')
    if (file) {
      response.writeHead(200, { 'content-type': file.type, 'access-control-allow-origin': '*', ...file.headers })
      response.end(file.body)
      return
    }
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('error', () => {})
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      received.push({ method: request.method ?? '', target, body, headers: request.headers })
      if (!collector.behaviour.hang) answer(response)
    })
  })

  const answer = (response: ServerResponse): void => {
    const { status, latencyMs, headers } = collector.behaviour
    const timer = setTimeout(() => {
      timers.delete(timer)
      if (!status) response.destroy()
      else {
        const expose = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'Retry-After' }
        response.writeHead(status, { ...expose, ...headers })
        response.end()
      }
    }, latencyMs)
    timers.add(timer)
  }

  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })

  const collector: Collector = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    behaviour: wellBehaved(),
    files,
    reset() {
      received.length = 0
      collector.behaviour = wellBehaved()
    },
    async close() {
      for (const timer of timers) clearTimeout(timer)
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
  return collector
}
