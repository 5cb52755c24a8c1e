import { describe, expect, it } from 'vitest'
import { allPlugins } from '../src/all-plugins.ts'
import type { PageElement } from '../src/ports.ts'
import type { Rule } from '../src/rules/rule.ts'
import { type RuleOptions, tagRules } from '../src/rules/tag-rules.ts'
import { startTracker, type Tracker } from '../src/tracker.ts'
import { type FakePage, fakePage } from './fake-ports.ts'

const start = async (page: FakePage, rules: unknown[], options: RuleOptions = {}, more = {}): Promise<Tracker> => {
  const all = { visible: () => () => {}, depth: () => 0, ...options }
  const tracker = startTracker(
    { endpoint: 'https://collect.example', ...more },
    page.ports,
    allPlugins([tagRules(rules as Rule[], all)]),
  )
  await page.pass(10)
  return tracker
}
const told = async (page: FakePage): Promise<string[]> => {
  await page.pass(3_000)
  return page
    .events()
    .filter(({ params }) => params.e_c)
    .map(({ path, params: { e_c, e_a, e_n, e_v } }) => [path, e_c, e_a, e_n, e_v].filter(Boolean).join(' '))
}
const element = (selectors: string[], more: Partial<PageElement> = {}): PageElement => ({
  matches: selector => selectors.includes(selector),
  closest: () => null,
  querySelector: () => null,
  ...more,
})

describe('A tag rule', () => {
  it('reports a click within its selector, filled from templates, to its scenario', async () => {
    const page = fakePage()
    page.url = 'https://shop.example/%EA%B0%80?utm_source=news#x'
    await start(page, [
      {
        on: 'click',
        selector: 'a.buy',
        track: {
          scenario: 5,
          category: 'buy {{query.utm_source}}',
          action: '{{text}} {{ path }}',
          name: '{{dataset.sku}}{{nothing}}{{constructor}}',
          value: '{{dataset.price}}',
        },
      },
    ])
    page.click({}, element(['a.buy'], { textContent: ' Buy\n now ', dataset: { sku: 'S1', price: '3' } }))
    page.click({}, element(['a.other']))
    expect(await told(page)).toEqual(['/5 buy news Buy now /가 S1 3'])
  })

  it('never tells text that is masked or that a visitor may have typed', async () => {
    const page = fakePage()
    await start(page, [{ on: 'click', selector: 'p', track: { category: 'c', name: '{{text}}' } }])
    const secret = '[data-hw-mask],input,textarea,select,[contenteditable]'
    page.click(element(['p'], { textContent: 'secret', closest: selector => (selector === secret ? {} : null) }))
    page.click(element(['p'], { textContent: 'secret', querySelector: selector => (selector === secret ? {} : null) }))
    expect(await told(page)).toEqual(['/matomo.php c click', '/matomo.php c click'])
  })

  it('fires only when all its conditions hold', async () => {
    const page = fakePage()
    const when = [
      { left: 'path', operator: 'starts_with', right: '/a' },
      { left: 'dataset.n', operator: '>', right: 2 },
    ]
    await start(page, [{ on: 'click', when, track: { category: 'c', name: '{{dataset.n}}' } }])
    for (const n of ['1', '3', undefined]) page.click(element([], { dataset: { n } }))
    expect(await told(page)).toEqual(['/matomo.php c click 3'])
  })

  it.each([
    [
      'submit',
      (page: FakePage) => page.emit('submit', { composedPath: () => [element(['form'])] }),
      { selector: 'form' },
    ],
    [
      'custom',
      (page: FakePage) => page.emit('cart:add', { detail: { sku: 'S' } }),
      { event: 'cart:add', track: { category: 'c', name: '{{detail.sku}}' } },
    ],
    [
      'error',
      (page: FakePage) => page.emit('error', { message: 'boom' }),
      { track: { category: 'c', name: '{{message}}' } },
    ],
  ])('hears of %s', async (on, happen, more) => {
    const page = fakePage()
    await start(page, [{ on, track: { category: 'c' }, ...more }])
    happen(page)
    expect(await told(page)).toHaveLength(1)
  })

  it('fires for each page view, also for the one that has begun before the rules came', async () => {
    const page = fakePage()
    await start(page, [{ on: 'pageview', track: { category: 'c', name: '{{path}}' } }])
    page.navigate('/b')
    expect(await told(page)).toEqual(['/matomo.php c pageview /a', '/matomo.php c pageview /b'])
  })

  it('fires some time after the page view, not when the page has changed by then', async () => {
    const page = fakePage()
    await start(page, [{ on: 'timer', afterMs: 5_000, track: { category: 'c', name: '{{path}}' } }])
    page.navigate('/b')
    await page.pass(20_000)
    expect(await told(page)).toEqual(['/matomo.php c timer /b'])
  })

  it('fires at a depth, once a page view', async () => {
    const page = fakePage()
    let depth = 20
    await start(page, [{ on: 'scroll', depth: 50, track: { category: 'c', name: '{{depth}}' } }], {
      depth: () => depth,
    })
    for (depth of [20, 60, 70]) {
      page.emit('scroll')
      await page.pass(300)
    }
    expect(await told(page)).toEqual(['/matomo.php c scroll 60'])
  })

  it('fires when an element comes into view, and lets go of what it watches', async () => {
    const page = fakePage()
    const watched: string[] = []
    let see: ((element: PageElement) => void) | undefined
    const tracker = await start(page, [{ on: 'visible', selector: '.ad', track: { category: 'c', name: '{{id}}' } }], {
      visible: (selector, seen) => {
        watched.push(selector)
        see = seen
        return () => watched.pop()
      },
    })
    see?.(element([], { id: 'x' }))
    expect(await told(page)).toEqual(['/matomo.php c visible x'])
    expect(watched).toEqual(['.ad'])
    tracker.destroy()
    expect(watched).toEqual([])
  })

  it('that makes no sense keeps neither the others nor the page from working', async () => {
    const page = fakePage()
    await start(page, [
      null,
      {},
      { on: 'click' },
      { on: 'click', when: [{}], track: {} },
      { on: 'click', track: { category: 'c' } },
    ])
    page.click(element([]))
    expect(await told(page)).toEqual(['/matomo.php c click'])
  })

  it('whose selector is none keeps no other from beginning with the page view', async () => {
    const page = fakePage()
    const visible = (selector: string) => {
      if (selector === '##') throw new SyntaxError('no selector')
      return () => {}
    }
    const rules = [
      { on: 'visible', selector: '##', track: { category: 'never' } },
      { on: 'pageview', track: { category: 'c' } },
    ]
    await start(page, rules, { visible })
    expect(await told(page)).toEqual(['/matomo.php c pageview'])
  })

  it('is data: nothing in it is run', async () => {
    const page = fakePage()
    const track = { category: '{{constructor.constructor("throw 1")()}}x', name: '<script>1</script>' }
    await start(page, [{ on: 'click', track }])
    page.click(element([]))
    expect(await told(page)).toEqual(['/matomo.php x click <script>1</script>'])
  })

  it('tells the preview what became of it', async () => {
    const page = fakePage()
    const seen: string[] = []
    const rule = {
      on: 'click',
      once: 'page',
      when: [{ left: 'id', operator: '==', right: 'x' }],
      track: { category: 'c' },
    }
    await start(page, [rule], { preview: (_rule, result) => seen.push(result) })
    for (const id of ['y', 'x', 'x']) page.click(element([], { id }))
    expect(seen).toEqual(['waiting', 'not met', 'fired', 'limit'])
  })
})

describe('once and limit', () => {
  const rule = (once?: string, limit?: number): object => ({
    id: 'r',
    on: 'click',
    once,
    limit,
    track: { category: 'c' },
  })
  const visit = async (stored: Map<string, string>, jump: number, given: object, more = {}): Promise<number> => {
    const page = fakePage()
    for (const [key, value] of stored) page.stored.set(key, value)
    page.jump(jump)
    await start(page, [given], {}, more)
    for (let i = 0; i < 3; i++) page.click(element([]))
    const { length } = await told(page)
    page.fire('hide')
    stored.clear()
    for (const [key, value] of page.stored) stored.set(key, value)
    return length
  }
  const minutes = (count: number): number => count * 60_000

  it.each([
    [undefined, undefined, [3, 3, 3]],
    [undefined, 2, [2, 2, 2]],
    ['page', undefined, [1, 1, 1]],
    ['session', undefined, [1, 0, 1]],
    ['session', 2, [2, 0, 2]],
    ['visitor', undefined, [1, 0, 0]],
  ])('once: %s, limit: %s', async (once, limit, fired) => {
    const stored = new Map<string, string>()
    const counts = [
      await visit(stored, 0, rule(once, limit)),
      await visit(stored, minutes(20), rule(once, limit)),
      await visit(stored, minutes(80), rule(once, limit)),
    ]
    expect(counts).toEqual(fired)
  })

  it('stores nothing without consent, and counts in memory', async () => {
    const stored = new Map<string, string>()
    expect(await visit(stored, 0, rule('visitor'), { cookieless: true })).toBe(1)
    expect(stored.size).toBe(0)
  })

  it('counts on when what is stored is unreadable', async () => {
    expect(await visit(new Map([['_hw_r', '{']]), 0, rule('visitor'))).toBe(1)
    expect(await visit(new Map([['_hw_r', 'null']]), 0, rule('visitor'))).toBe(1)
  })
})
