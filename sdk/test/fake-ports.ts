import type { Answer, Moment, PageElement, PageEvent, Ports } from '../src/ports.ts'
import { eventsIn, type ReceivedEvent } from './received-events.ts'

/** What the tracker asked the transport for. */
export interface Sent {
  by: 'fetch' | 'beacon'
  url: string
  body: string
}

/** A page that exists only in memory: the test moves its clock, its address, its visibility and its collector. */
export interface FakePage {
  ports: Ports
  sent: Sent[]
  cookies: Map<string, string>
  stored: Map<string, string>
  /** How the collector answers from now on; `undefined` leaves requests unanswered. */
  answer: Answer | undefined
  /** What `sendBeacon` says to a body of so many characters. */
  takesBeacon: (chars: number) => boolean
  visible: boolean
  online: boolean
  url: string
  title: string
  /** Lets time pass: timers run in order, with the promises that hang on them. */
  pass(ms: number): Promise<void>
  /** The wall clock jumps; timers do not notice. */
  jump(ms: number): void
  fire(moment: Moment): void
  /** Goes to another address as `pushState` does. */
  navigate(url: string): void
  /** An event of the window: `page.emit('submit', { target: form })`. */
  emit(name: string, event?: Partial<PageEvent>): void
  click(...path: PageElement[]): void
  /** What is left with the browser for a page that dies. */
  left: readonly { url: string; body: string }[]
  /** Everything sent so far, as events. */
  events(): ReceivedEvent[]
  /** Timers that are still set. */
  timers(): number
}

/** `over`: what differs from an ordinary page. */
export function fakePage(over: Partial<Ports['page']> = {}): FakePage {
  let ticks = 0
  let offset = 1_700_000_000_000
  let seed = 0
  const timers = new Map<object, { due: number; task: () => void }>()
  const moments = new Set<(moment: Moment) => void>()
  const navigations = new Set<() => void>()
  const handlers = new Map<string, Set<(event: PageEvent) => void>>()
  const subscribe =
    <Listener>(listeners: Set<Listener>) =>
    (listener: Listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    }

  const settled = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) await Promise.resolve()
  }

  const page: FakePage = {
    sent: [],
    left: [],
    cookies: new Map(),
    stored: new Map(),
    answer: { status: 204, retryAfterMs: 0 },
    takesBeacon: () => true,
    visible: true,
    online: true,
    url: 'https://shop.example/a',
    title: 'Shop',
    async pass(ms) {
      const end = ticks + ms
      await settled()
      for (;;) {
        const next = [...timers].filter(([, { due }]) => due <= end).sort(([, a], [, b]) => a.due - b.due)[0]
        if (!next) break
        timers.delete(next[0])
        ticks = Math.max(ticks, next[1].due)
        next[1].task()
        await settled()
      }
      ticks = end
    },
    jump(ms) {
      offset += ms
    },
    fire(moment) {
      for (const listener of moments) listener(moment)
    },
    navigate(url) {
      page.url = new URL(url, page.url).href
      for (const listener of navigations) listener()
    },
    emit(name, event) {
      for (const handler of handlers.get(name) ?? []) handler({ composedPath: () => [], ...event })
    },
    click: (...path) => page.emit('click', { button: 0, target: path[0], composedPath: () => path }),
    events: () =>
      page.sent.flatMap(({ url, body, by }) =>
        eventsIn({ method: by, target: url.replace('https://collect.example', ''), body, headers: {} }),
      ),
    timers: () => timers.size,
    ports: {
      clock: {
        now: () => offset + ticks,
        later(task, ms) {
          const key = {}
          timers.set(key, { due: ticks + Math.max(0, ms), task })
          return () => void timers.delete(key) as undefined
        },
      },
      page: {
        url: () => page.url,
        title: () => page.title,
        referrer: 'https://search.example/?q=한글',
        resolution: '1280x800',
        cookiesEnabled: true,
        automated: false,
        gpcSignal: false,
        dntSignal: false,
        on(name, handler) {
          const listeners = handlers.get(name) ?? new Set()
          handlers.set(name, listeners)
          return subscribe(listeners)(handler)
        },
        ...over,
      },
      lifecycle: {
        visible: () => page.visible,
        online: () => page.online,
        subscribe: listener => [subscribe(moments)(listener)],
      },
      navigationPort: { subscribe: subscribe(navigations) },
      cookies: {
        read: () => [...page.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        write(cookie) {
          const [, name, value, age] = /^([^=]+)=([^;]*);max-age=(-?\d+)/.exec(cookie)!
          if (+age! > 0) page.cookies.set(name!, value!)
          else page.cookies.delete(name!)
        },
      },
      storage: {
        names: () => [...page.stored.keys()],
        peek: key => page.stored.get(key),
        keep: (key, value) => !!page.stored.set(key, value),
        drop: key => page.stored.delete(key),
      },
      transport: {
        attempt(url, body = '') {
          page.sent.push({ by: 'fetch', url, body })
          return page.answer ? Promise.resolve(page.answer) : new Promise(() => {})
        },
        beacon(url, body) {
          if (!page.takesBeacon(body.length)) return false
          page.sent.push({ by: 'beacon', url, body })
          return true
        },
        leave(url, body = '') {
          page.left = url ? [...page.left, { url, body }] : []
        },
      },
      randomBytes: count =>
        Uint8Array.from({ length: count }, () => {
          seed = (seed * 1_103_515_245 + 12_345) >>> 0
          return seed >>> 16
        }),
      exclusively: task => void task(),
    },
  }
  return page
}
