import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { SeededRandom } from './seeded-random.ts'

/** One event on its way: sent again, as the SDK does, until it is acknowledged. */
interface Sent {
  id: string
  /** `GET`, a `POST` with everything in the URL, or one of a bulk. */
  path: string
  query: string
  attempts: number
}

/** Simulated visitors and what became of their events. */
export interface Visitors {
  /** Ids answered with 2xx: these must be in the archive, each once. */
  acknowledged: Set<string>
  /** Ids sent at least once; what is in the archive must be among them. */
  sent: Set<string>
  /** Requests that were sent again after no answer or a 5xx. */
  retries: number
  /** Ends after the requests in flight; unacknowledged events stay so. */
  stop(): Promise<void>
}

export interface VisitorsOptions {
  random: SeededRandom
  /** Requests in flight at once. */
  connections: number
  /** Where the gateway listens now; `undefined` while it is down. */
  port: () => number | undefined
  /** Between two requests of a connection, ms. Default 0: as fast as they are answered. */
  pauseMs?: number
}

/** The pages and members that `roundScenarios` and `ROUND_MEMBERS` know, and a member that they do not. */
const PATHS = ['/5', '/6', '/matomo.php']
const MEMBERS = ['1', '2', '3', 'nobody']

/** Sends events as fast as they are answered, from `connections` connections: single ones, bulks, and repeats. */
export function startVisitors(options: VisitorsOptions): Visitors {
  const { random } = options
  const agent = new Agent({ keepAlive: true, maxSockets: options.connections })
  let running = true
  let serial = 0
  const visitors: Visitors = {
    acknowledged: new Set(),
    sent: new Set(),
    retries: 0,
    async stop() {
      running = false
      await Promise.all(loops)
      agent.destroy()
    },
  }

  function newEvent(path: string): Sent {
    const id = `${(serial++).toString(36).padStart(8, '0')}-${Math.floor(random.next() * 2 ** 32).toString(36)}`
    const visitor = random.between(1, 500).toString(16).padStart(16, '0')
    const query =
      `e_c=buttonClick&e_a=Clicked&e_n=${encodeURIComponent(random.pick(['구매', 'buy "now"', 'a&b=c', '고면할당하기']))}` +
      `&url=${encodeURIComponent('http://shop.example/p?x=1')}&_id=${visitor}&idsite=1&h=${random.between(0, 23)}` +
      `&memberId=${random.pick(MEMBERS)}&send_image=0&hw_id=${id}`
    return { id, path, query, attempts: 0 }
  }

  /** Answers what the SDK would make of it: keep and send again on 5xx and on no answer. */
  async function attempt(events: readonly Sent[]): Promise<boolean> {
    const port = options.port()
    if (port === undefined) return false
    for (const event of events) {
      visitors.sent.add(event.id)
      if (event.attempts > 0) visitors.retries++
    }
    const first = events[0] as Sent
    const tried = (event: Sent) => (event.attempts > 0 ? `${event.query}&hw_try=${event.attempts}` : event.query)
    const status =
      events.length > 1
        ? await send(
            agent,
            port,
            'POST',
            first.path,
            JSON.stringify({ requests: events.map(event => `?${tried(event)}`) }),
          )
        : await send(agent, port, random.next() < 0.5 ? 'GET' : 'POST', `${first.path}?${tried(first)}`, '')
    for (const event of events) event.attempts++
    if (status === undefined || status >= 500) return false
    if (status >= 300) throw new Error(`the gateway answered ${status} to ${first.path}`)
    for (const event of events) visitors.acknowledged.add(event.id)
    return true
  }

  async function loop(): Promise<void> {
    while (running) {
      const path = random.pick(PATHS)
      const bulk = random.next() < 0.2 ? random.between(2, 12) : 1
      const events = Array.from({ length: bulk }, () => newEvent(path))
      while (!(await attempt(events))) {
        if (!running) return
        await pause(10)
      }
      // The answer may be lost on its way, or the SDK may fear so: some are sent again although acknowledged.
      if (random.next() < 0.05 && running) await attempt(events)
      if (options.pauseMs !== undefined) await pause(options.pauseMs)
    }
  }
  const loops = Array.from({ length: options.connections }, loop)
  return visitors
}

/** The answer's status, or `undefined` when none came. */
function send(agent: Agent, port: number, method: string, path: string, body: string): Promise<number | undefined> {
  return new Promise(resolve => {
    const outgoing = request(
      { agent, host: '127.0.0.1', port, method, path, headers: { 'content-length': Buffer.byteLength(body) } },
      answer => {
        answer.resume()
        answer.on('end', () => resolve(answer.statusCode))
        answer.on('error', () => resolve(undefined))
        answer.on('aborted', () => resolve(undefined))
      },
    )
    outgoing.setTimeout(10_000, () => outgoing.destroy())
    outgoing.on('error', () => resolve(undefined))
    outgoing.end(body)
  })
}
