import { type Event, eventsOf, formatLogLine, getParam, parseLogLine, parseUserAgent } from '@headwater/core'
import { describe, expect, it } from 'vitest'
import { startTracker } from '../../sdk/src/tracker.ts'
import { fakePage } from '../../sdk/test/fake-ports.ts'
import { dayRhythm } from '../src/demo/day-rhythm.ts'
import { demoLines } from '../src/demo/demo-log.ts'
import { DemoTraffic } from '../src/demo/demo-traffic.ts'

const START = Date.parse('2026-03-06T00:00:00Z')
const DAY = 86_400_000
const OPTIONS = { seed: 1, siteId: 1, scenarioId: 5, sdkVersion: '9.9.9', members: ['123456', '100001'] }
const linesOf = (over: Partial<Parameters<typeof demoLines>[0]> = {}): string[] => {
  const options = { ...OPTIONS, lines: 20_000, startMs: START, spanMs: 3 * DAY, ...over }
  return Array.from({ length: options.lines }, demoLines(options))
}
const lines = linesOf()
const events = lines.map((line): Event => {
  const record = parseLogLine(line)
  if ('rejected' in record) throw new Error(`${record.rejected}: ${line}`)
  // Byte for byte what the gateway and NGINX write.
  expect(formatLogLine(record, 'headwater')).toBe(line)
  const found = eventsOf(record, { source: 'test', position: 0, ingestSiteId: 1 })
  if (!Array.isArray(found) || found.length !== 1) throw new Error(`no event: ${line}`)
  return found[0] as Event
})
const param = (event: Event, name: string) => getParam(event.params, name)
const names = (query: string) => query.split('&').map(pair => pair.slice(0, pair.indexOf('=')))

describe('Simulated visitors', () => {
  it('send what the SDK sends: the same parameters in the same order', async () => {
    const page = fakePage()
    const tracker = startTracker({ endpoint: 'https://collect.example', siteId: 1, memberId: '123456' }, page.ports)
    await page.pass(1_000)
    tracker.event('buttonClick', 'Clicked', 'buy', { value: 1, scenarioId: 5 })
    await page.pass(1_000)
    const [view, click] = page.sent.map(({ url }) => url.slice('https://collect.example'.length))
    const like = (path: string, wanted: RegExp) => {
      const found = lines.find(
        line =>
          line.includes(`${path}?`) && wanted.test(line) && line.includes('urlref=') && line.includes('memberId='),
      )
      return (found as string).split(' ')[6] as string
    }
    const shape = (target: string) => [target.split('?')[0], names(target.split('?')[1] as string)]
    expect(shape(like('/matomo.php', /action_name=/))).toEqual(shape(view as string))
    expect(shape(like('/5', /e_v=/))).toEqual(shape(click as string))
  })

  it('are the same for the same seed, and others for another', () => {
    expect(linesOf({ lines: 300 })).toEqual(linesOf({ lines: 300 }))
    expect(linesOf({ lines: 300, seed: 2 })).not.toEqual(linesOf({ lines: 300 }))
  })

  it('come in order of time, within the span, and mostly in the evening of Seoul', () => {
    const times = events.map(({ receivedAt }) => receivedAt)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(times[0]).toBeGreaterThanOrEqual(START)
    expect(times.at(-1)).toBeLessThan(START + 3 * DAY)
    expect(times.at(-1)).toBeGreaterThan(START + 2.9 * DAY)
    const inHour = (hour: number) => times.filter(at => new Date(at).getUTCHours() === hour - 9).length
    expect(inHour(21)).toBeGreaterThan(1.2 * inHour(13))
  })

  it('are people with sessions, pages, purchases, campaigns, and some of them robots', () => {
    const share = (is: (event: Event) => boolean) => events.filter(is).length / events.length
    const visitors = new Map<string, Event[]>()
    for (const event of events)
      visitors.set(event.visitorId as string, [...(visitors.get(event.visitorId as string) ?? []), event])
    expect(events.length / visitors.size).toBeGreaterThan(2)
    // A visitor is new once, and known from then on.
    for (const own of visitors.values())
      expect(own.slice(1).every(event => param(event, '_idn') === '0' || param(event, 'hw_try') !== '0')).toBe(true)
    const returning = [...visitors.values()].filter(
      own => (own.at(-1) as Event).date - (own[0] as Event).date > DAY / 4 && param(own[0] as Event, '_idn') === '1',
    )
    expect(returning.length).toBeGreaterThan(visitors.size / 50)
    expect(share(event => event.scenarioId === 5)).toBeGreaterThan(0.01)
    expect(share(event => event.memberId !== undefined)).toBeGreaterThan(0.1)
    expect(share(event => /mtm_source|utm_source/.test(param(event, 'url') ?? ''))).toBeGreaterThan(0.01)
    expect(share(event => parseUserAgent(event.userAgent).bot)).toBeGreaterThan(0.01)
    expect(share(event => parseUserAgent(event.userAgent).bot)).toBeLessThan(0.5)
    expect(share(event => param(event, 'hw_try') !== '0')).toBeGreaterThan(0.0005)
    expect(new Set(events.map(event => param(event, 'hw_id'))).size).toBeLessThan(events.length)
    // A page load counts its events from 1 without a gap.
    const loads = new Map<string, Set<number>>()
    for (const event of events) {
      const load = param(event, 'hw_pl') as string
      loads.set(load, (loads.get(load) ?? new Set()).add(Number(param(event, 'hw_seq'))))
    }
    for (const seen of loads.values()) expect(Math.max(...seen)).toBe(seen.size)
  })

  it('happen at the moment asked for when the rate must be exact', () => {
    const traffic = new DemoTraffic({ ...OPTIONS, timing: 'slot' })
    for (let i = 0; i < 2_000; i++) expect(traffic.next(START + i * 100).at).toBe(START + i * 100)
    expect(traffic.sessions).toBeLessThan(1_500)
  })
})

describe('The rhythm of a day', () => {
  it('rises within the span, whatever the span', () => {
    for (const span of [1_000, 3_600_000, 90 * 60_000, 3 * DAY]) {
      const slot = dayRhythm(START + 123_456, span, 500)
      const times = Array.from({ length: 500 }, (_, i) => slot(i))
      expect(times).toEqual([...times].sort((a, b) => a - b))
      expect(times[0]).toBeGreaterThanOrEqual(START + 123_456)
      expect(times.at(-1)).toBeLessThan(START + 123_456 + span)
    }
  })
})
