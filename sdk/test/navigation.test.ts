import { afterEach, describe, expect, it, vi } from 'vitest'
import { browserNavigation } from '../src/browser/browser-navigation.ts'
import type { TrackerOptions } from '../src/options.ts'
import { startTracker } from '../src/tracker.ts'
import { type FakePage, fakePage } from './fake-ports.ts'

/** What a router does, and which pages have been seen then. The first page is /a. */
const TABLE: [
  action: string,
  steps: (history: History) => (() => void)[],
  counted: string[],
  options?: Partial<TrackerOptions>,
][] = [
  ['pushState to another path', h => [() => h.pushState(0, '', '/b')], ['/b']],
  ['pushState to the same URL', h => [() => h.pushState(0, '', '/a')], []],
  ['replaceState to the same URL', h => [() => h.replaceState(0, '', '/a')], []],
  ['replaceState to another path', h => [() => h.replaceState(0, '', '/b')], ['/b']],
  ['replace(current), then push(/b)', h => [() => h.replaceState(0, '', '/a'), () => h.pushState(0, '', '/b')], ['/b']],
  ['push /b, then push /c within 50 ms', h => [() => h.pushState(0, '', '/b'), () => h.pushState(0, '', '/c')], ['/c']],
  [
    'push /b, and back at leisure',
    h => [() => h.pushState(0, '', '/b'), () => {}, () => {}, () => {}, () => h.back()],
    ['/b', '/a'],
  ],
  ['another query', h => [() => h.pushState(0, '', '?page=2')], []],
  [
    'another query that counts',
    h => [() => h.pushState(0, '', '?page=2')],
    ['/a?page=2'],
    { spa: { query: ['page'] } },
  ],
  ['another query beside one that counts', h => [() => h.pushState(0, '', '?x=2')], [], { spa: { query: ['page'] } }],
  ['another fragment', h => [() => h.pushState(0, '', '#x')], []],
  ['another fragment that counts', h => [() => h.pushState(0, '', '#/x')], ['/a#/x'], { spa: { hash: true } }],
  ['anything, when switched off', h => [() => h.pushState(0, '', '/b')], [], { spa: false }],
]

/** A window with a history, with and without the Navigation API. */
function fakeWindow(page: FakePage, api: boolean): History {
  const window = new EventTarget()
  const navigation = new EventTarget()
  const entries = [page.url]
  const go = (url: string): void => {
    page.url = url
    navigation.dispatchEvent(new Event('currententrychange'))
  }
  const history = {
    pushState(_state: unknown, _unused: string, url: string) {
      entries.push(new URL(url, page.url).href)
      go(entries.at(-1)!)
      return 'kept'
    },
    replaceState(_state: unknown, _unused: string, url: string) {
      entries.splice(-1, 1, new URL(url, page.url).href)
      go(entries.at(-1)!)
    },
    back() {
      entries.pop()
      go(entries.at(-1)!)
      window.dispatchEvent(new Event('popstate'))
    },
  } as unknown as History
  vi.stubGlobal('window', Object.assign(window, api ? { navigation } : {}))
  vi.stubGlobal('history', history)
  page.ports.navigationPort = browserNavigation
  return history
}

afterEach(() => {
  vi.unstubAllGlobals()
})

describe.each([
  ['by the Navigation API', true],
  ['by patched history', false],
])('A single-page navigation, seen %s,', (_how, api) => {
  it.each(TABLE)('counts: %s', async (_action, steps, counted, options = {}) => {
    const page = fakePage()
    const history = fakeWindow(page, api)
    startTracker({ endpoint: 'https://collect.example', ...options }, page.ports)
    for (const step of steps(history)) {
      step()
      await page.pass(40)
    }
    await page.pass(3_000)
    const seen = page.events().map(({ params }) => params.url!.replace('https://shop.example', ''))
    expect(seen).toEqual(['/a', ...counted])
  })

  it('is reported with the title it has when settled, and the previous full address', async () => {
    const page = fakePage()
    page.url += '?x=1#y'
    const history = fakeWindow(page, api)
    startTracker({ endpoint: 'https://collect.example' }, page.ports)
    history.pushState(0, '', '/b')
    await page.pass(50)
    page.title = 'B'
    await page.pass(3_000)
    expect(page.events().at(-1)!.params).toMatchObject({ action_name: 'B', urlref: 'https://shop.example/a?x=1#y' })
  })
})

describe('Patched history', () => {
  it('keeps the results and exceptions of the original, and sleeps when stopped', () => {
    const page = fakePage()
    const history = fakeWindow(page, false)
    let times = 0
    const stop = browserNavigation.subscribe(() => {
      times++
    })
    expect(history.pushState(0, '', '/b')).toBe('kept')
    expect(() => history.pushState(0, '', 'http://[')).toThrow()
    expect(times).toBe(1)
    stop()
    history.pushState(0, '', '/c')
    expect(times).toBe(1)
  })
})
