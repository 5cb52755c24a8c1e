import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { GatewayError } from './gateway-error.ts'

/** An answer of a route on the health port. */
export interface HealthAnswer {
  /** Default 200. */
  status?: number
  /** Default `application/json`. */
  type?: string
  body: string
}

/** A route of the caller's. A rejection is logged and answered with 500. */
export type HealthRoute = (url: URL) => HealthAnswer | Promise<HealthAnswer>

/** Why the process is not ready, as a sentence; undefined: it is. */
export type ReadyCheck = () => string | undefined | Promise<string | undefined>

export interface HealthOptions {
  host: string
  /** 0 takes any free port. */
  port: number
  registry: Registry
  log: Logger
}

/**
 * Health and metrics, on a port of their own that public traffic never reaches:
 *
 *     GET /healthz   200 while the process answers at all
 *     GET /readyz    200, or 503 with the reasons, one a line
 *     GET /metrics   Prometheus
 *
 * The caller adds routes and checks, also while it runs.
 */
export interface Health {
  readonly port: number
  addRoute(path: string, route: HealthRoute): void
  addCheck(check: ReadyCheck): void
  close(): Promise<void>
}

export async function startHealth(options: HealthOptions): Promise<Health> {
  const { registry, log } = options
  const checks: ReadyCheck[] = []
  const routes = new Map<string, HealthRoute>([
    ['/healthz', () => ({ type: 'text/plain', body: 'ok\n' })],
    [
      '/readyz',
      async () => {
        const reasons = (await Promise.all(checks.map(check => check()))).filter(reason => reason !== undefined)
        if (reasons.length === 0) return { type: 'text/plain', body: 'ready\n' }
        return { status: 503, type: 'text/plain', body: `${reasons.join('\n')}\n` }
      },
    ],
    ['/metrics', async () => ({ type: registry.contentType, body: await registry.metrics() })],
  ])

  const server = createServer((request, response) => {
    request.resume()
    const url = urlOf(request.url ?? '')
    const route = url && routes.get(url.pathname)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return send(response, { status: 405, type: 'text/plain', body: 'This port takes GET only.\n' })
    if (url === undefined || route === undefined)
      return send(response, {
        status: 404,
        type: 'text/plain',
        body: `Nothing here. There is ${[...routes.keys()].join(', ')}.\n`,
      })
    // An async function, so that a route that throws is a rejection too.
    void (async () => route(url))().then(
      answer => send(response, answer),
      error => {
        log.error({ err: error, path: url.pathname }, 'A route of the health port failed')
        send(response, { status: 500, type: 'text/plain', body: 'This failed; the log says why.\n' })
      },
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => {
      const found = `${options.host}:${options.port}`
      reject(
        new GatewayError('LISTEN_FAILED', `cannot listen for health and metrics. Found: ${found}.`, { cause: error }),
      )
    })
    server.listen(options.port, options.host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    addRoute: (path, route) => void routes.set(path, route),
    addCheck: check => void checks.push(check),
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Undefined for what is no URL, like `//`. */
function urlOf(target: string): URL | undefined {
  return URL.canParse(target, 'http://health') ? new URL(target, 'http://health') : undefined
}

function send(response: ServerResponse, answer: HealthAnswer): void {
  response.writeHead(answer.status ?? 200, {
    'Content-Type': answer.type ?? 'application/json',
    'Cache-Control': 'no-store',
    'Content-Length': Buffer.byteLength(answer.body),
  })
  response.end(answer.body)
}
