import { createRequire } from 'node:module'
import { type Event, eventsOf, getParam, parseLogLine } from '@headwater/core'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type StartedGateway, startedGateway, until } from './started-gateway.ts'

// The published clients as they are, CommonJS; both are devDependencies of the SDK's workspace.
const require = createRequire(import.meta.url)

interface NodeTracker {
  on(name: 'error', listener: (error: unknown) => void): void
  track(options: string | Record<string, string | number>): void
  trackBulk(events: Record<string, string | number>[], callback: (answer: string) => void): void
}
const NodeTracker = require('matomo-tracker') as new (siteId: number, trackerUrl: string) => NodeTracker

interface BrowserTracker {
  trackPageView(params?: { documentTitle?: string; href?: string }): void
  trackEvent(params: { category: string; action: string; name?: string; value?: number }): void
}
const { default: BrowserTracker } = require('@jonkoops/matomo-tracker') as {
  default: new (options: { urlBase: string; siteId: number; userId?: string }) => BrowserTracker
}

let started: StartedGateway
let before = 0
const url = (path: string) => `http://127.0.0.1:${started.port}${path}`

beforeAll(async () => {
  started = await startedGateway()
})
afterAll(() => started.stop())
afterEach(() => vi.unstubAllGlobals())

/** The events logged since the last call, once there are `count`. */
async function newEvents(count: number): Promise<Event[]> {
  await until(() => started.lines().length >= before + count)
  const lines = started.lines().slice(before)
  before += lines.length
  return lines.flatMap(line => {
    const record = parseLogLine(line)
    if ('rejected' in record) throw new Error(`${record.rejected}: ${line}`)
    const events = eventsOf(record, { source: 'test', position: 0, ingestSiteId: 1 })
    if ('rejected' in events) throw new Error(`${events.rejected}: ${line}`)
    return events.map(event => {
      if ('rejected' in event) throw new Error(`${event.rejected}: ${line}`)
      return event
    })
  })
}

describe('matomo-tracker of npm', () => {
  it.each(['/matomo.php', '/piwik.php'])('reports page views and events to %s', async path => {
    const errors: unknown[] = []
    const tracker = new NodeTracker(7, url(path))
    tracker.on('error', error => errors.push(error))
    tracker.track('http://shop.example/a?b=1')
    const [view] = await newEvents(1)
    expect(view).toMatchObject({ siteId: 7, visitorId: undefined })
    expect(getParam(view?.params ?? [], 'url')).toBe('http://shop.example/a?b=1')

    tracker.track({
      url: 'http://shop.example/',
      action_name: '상품 "A"',
      e_c: 'buttonClick',
      e_a: 'Clicked',
      e_n: '고면할당하기',
      e_v: 3.5,
      uid: 'member 1',
      _id: '0123456789abcdef',
      cvar: JSON.stringify({ 1: ['plan', 'gold'] }),
      ua: 'Node',
    })
    const [event] = await newEvents(1)
    expect(event).toMatchObject({ siteId: 7, visitorId: '0123456789abcdef', memberId: 'member 1' })
    expect(getParam(event?.params ?? [], 'e_n')).toBe('고면할당하기')
    expect(getParam(event?.params ?? [], 'action_name')).toBe('상품 "A"')
    expect(getParam(event?.params ?? [], 'cvar')).toBe('{"1":["plan","gold"]}')
    expect(errors).toEqual([])
  })

  it('reports in bulk and gets the answer of Matomo', async () => {
    const tracker = new NodeTracker(7, url('/matomo.php'))
    const items = Array.from({ length: 3 }, (_, n) => ({ url: `http://shop.example/${n}`, e_c: '구매', e_a: `${n}` }))
    const answer = await new Promise<string>(resolve => tracker.trackBulk(items, resolve))
    expect(JSON.parse(answer)).toEqual({ status: 'success', tracked: 3, invalid: 0 })
    const events = await newEvents(3)
    expect(events.map(event => getParam(event.params, 'e_a'))).toEqual(['0', '1', '2'])
    expect(new Set(events.map(event => event.eventId)).size).toBe(3)
  })
})

describe('@jonkoops/matomo-tracker of npm', () => {
  it('sends nothing itself: it has matomo.js report to a path that is taken here', async () => {
    const inserted: { src?: string }[] = []
    const scripts = [{ parentNode: { insertBefore: (script: { src?: string }) => inserted.push(script) } }]
    const page: { _paq?: unknown[][] } & Record<string, unknown> = {
      document: { title: 'Start' },
      location: { href: 'http://shop.example/' },
    }
    vi.stubGlobal('window', page)
    vi.stubGlobal('document', { createElement: () => ({}), getElementsByTagName: () => scripts })
    const tracker = new BrowserTracker({ urlBase: url(''), siteId: 7, userId: 'member 1' })
    tracker.trackPageView()
    tracker.trackEvent({ category: 'buttonClick', action: 'Clicked', name: 'buy', value: 3 })

    expect(inserted.map(({ src }) => src)).toEqual([url('/matomo.js')])
    const commands = new Map(page._paq?.map(([name, ...rest]) => [name, rest]))
    expect(commands.get('setTrackerUrl')).toEqual([url('/matomo.php')])
    expect(commands.get('trackEvent')).toEqual(['buttonClick', 'Clicked', 'buy', 3])

    // What matomo.js makes of these commands (core/test/wire/fixtures has its requests).
    const query = `idsite=${commands.get('setSiteId')?.[0]}&rec=1&uid=${encodeURIComponent(
      String(commands.get('setUserId')?.[0]),
    )}&e_c=${commands.get('trackEvent')?.[0]}`
    const answer = await fetch(`${commands.get('setTrackerUrl')?.[0]}?${query}`, { method: 'POST' })
    expect(answer.status).toBe(200)
    const [event] = await newEvents(1)
    expect(event).toMatchObject({ siteId: 7, memberId: 'member 1' })
  })
})
