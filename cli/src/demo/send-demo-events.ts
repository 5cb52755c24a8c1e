import { setMaxListeners } from 'node:events'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import { type DemoEvent, demoTarget } from './demo-event.ts'
import { DEMO_ORIGIN } from './demo-site.ts'
import { DemoTraffic, type DemoTrafficOptions } from './demo-traffic.ts'
import { REFERER } from './demo-visitor.ts'

export interface SendOptions extends Omit<DemoTrafficOptions, 'timing'> {
  /** The gateway: `http://127.0.0.1:8000`. */
  url: string
  /** Events a second. */
  rate: number
  durationMs: number
  signal?: AbortSignal
  onProgress?: (progress: DemoProgress) => void
}

export interface DemoProgress {
  /** Events answered with 2xx. */
  acknowledged: number
  /** Attempts beyond the first. */
  retries: number
  /** Given up: answered with 4xx, or never. */
  failed: number
  /** Different visitors, and their sessions. */
  visitors: number
  sessions: number
  /** 0 … 1 of the time. */
  share: number
  /** What the last failed attempt came to, for the user. */
  lastFailure: string | undefined
}

/** Beyond this many requests on their way the next one waits: a slow gateway makes the rate fall, not the memory grow. */
const MAX_IN_FLIGHT = 256
const MAX_TRIES = 5
const TIMEOUT_MS = 10_000
const TICK_MS = 20

/**
 * Sends simulated visitors' events to a gateway, evenly at `rate`, until the time is over or `signal` aborts; then waits for
 * the answers that are due. As the SDK it keeps an event on no answer, 408, 429 and 5xx and sends it again (`hw_try`, `cdo`),
 * here at most five times, and drops it on any other 4xx.
 */
export async function sendDemoEvents(options: SendOptions): Promise<DemoProgress> {
  const { rate, durationMs, signal } = options
  // Each event that waits for its next attempt listens: with a gateway that is away hundreds do, and none leaks.
  if (signal !== undefined) setMaxListeners(0, signal)
  const traffic = new DemoTraffic({ ...options, timing: 'slot' })
  const target = new URL(options.url)
  const secure = target.protocol === 'https:'
  const agent = new (secure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 64 })
  const send = secure ? httpsRequest : httpRequest
  const prefix = target.pathname.replace(/\/+$/, '')
  const done: DemoProgress = {
    acknowledged: 0,
    retries: 0,
    failed: 0,
    visitors: 0,
    sessions: 0,
    share: 0,
    lastFailure: undefined,
  }

  /** The status and the wished pause, ms; status 0 when there was no answer. */
  function attempt(event: DemoEvent): Promise<{ status: number; pauseMs: number }> {
    return new Promise(resolve => {
      const outgoing = send(
        {
          agent,
          host: target.hostname.replace(/^\[|\]$/g, ''),
          port: target.port,
          method: event.leaving ? 'POST' : 'GET',
          path: prefix + demoTarget(event),
          headers: {
            'user-agent': event.visitor.device.userAgent,
            referer: REFERER,
            origin: DEMO_ORIGIN,
            ...(event.leaving && { 'content-length': 0 }),
          },
        },
        answer => {
          answer.resume()
          answer.on('close', () =>
            resolve({
              status: answer.complete ? (answer.statusCode ?? 0) : 0,
              pauseMs: 1000 * Number(answer.headers['retry-after']) || 0,
            }),
          )
        },
      )
      outgoing.setTimeout(TIMEOUT_MS, () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)))
      outgoing.on('error', error => {
        done.lastFailure = error.message || String((error as NodeJS.ErrnoException).code)
        resolve({ status: 0, pauseMs: 0 })
      })
      outgoing.end()
    })
  }

  async function deliver(first: DemoEvent): Promise<void> {
    for (let event = first; ; ) {
      const { status, pauseMs } = await attempt(event)
      if (status >= 200 && status < 300) {
        done.acknowledged++
        return
      }
      if (status > 0) done.lastFailure = `status ${status}`
      const again = status === 0 || status === 408 || status === 429 || status >= 500
      if (!again || event.tries + 1 - first.tries >= MAX_TRIES || signal?.aborted === true) {
        done.failed++
        return
      }
      const wait = Math.min(10_000, Math.max(pauseMs, 250 * 2 ** (event.tries - first.tries)))
      await pause(wait, undefined, { signal }).catch(() => {})
      done.retries++
      const delaySeconds = Math.max(first.delaySeconds, Math.floor((Date.now() - first.at) / 1000))
      event = { ...event, tries: event.tries + 1, delaySeconds }
    }
  }

  const stopped = (): boolean => signal?.aborted === true
  const startMs = Date.now()
  const count = Math.round((rate * durationMs) / 1000)
  const inFlight = new Set<Promise<void>>()
  const tell = (): void => {
    done.visitors = traffic.visitors
    done.sessions = traffic.sessions
    options.onProgress?.(done)
  }
  try {
    for (let i = 0; i < count && !stopped(); ) {
      const due = Math.min(count, Math.floor(((Date.now() - startMs) * rate) / 1000) + 1)
      for (; i < due && !stopped(); i++) {
        while (inFlight.size >= MAX_IN_FLIGHT) await Promise.race(inFlight)
        // The moment follows from the rate and not from the clock, so that the seed decides all.
        const event = traffic.next(startMs + (i * 1000) / rate)
        const delivery = deliver(event)
        inFlight.add(delivery)
        void delivery.finally(() => inFlight.delete(delivery))
      }
      done.share = i / count
      tell()
      if (i < count) await pause(TICK_MS, undefined, { signal }).catch(() => {})
    }
    await Promise.all(inFlight)
  } finally {
    agent.destroy()
  }
  tell()
  return done
}
