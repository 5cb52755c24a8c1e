import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { expect, it, vi } from 'vitest'
import { describeInChromium } from './chromium-suite.ts'
import { arrived, eventsIn } from './received-events.ts'

const tag = '<script async src="$COLLECTOR/headwater.js" data-site-id="1"></script>'
const html = (body: string, head = tag): string =>
  `<!doctype html><meta charset="utf-8"><title>Shop</title>${head}<body>${body}`

describeInChromium('The full script in Chromium', suite => {
  const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 20 })
  const seen = (): ReturnType<typeof arrived> => arrived(suite.collector)
  const told = (): string[] =>
    seen().flatMap(({ path, params: { e_c, e_a, e_n } }) =>
      e_c ? [[path, e_c, e_a, e_n].filter(Boolean).join(' ')] : [],
    )
  const open = async (page: string, more = ''): Promise<[Page, Error[]]> => {
    const tab = await (await suite.profile()).newPage()
    const errors: Error[] = []
    tab.on('pageerror', error => errors.push(error))
    await tab.goto(page + more)
    return [tab, errors]
  }

  it("takes Matomo's own snippet over when its one URL is changed", async () => {
    const snippet = `<script>
      var _paq = window._paq = window._paq || [];
      _paq.push(['trackPageView']);
      _paq.push(['enableLinkTracking']);
      (function() {
        var u="$COLLECTOR/";
        _paq.push(['setTrackerUrl', u+'matomo.php']);
        _paq.push(['setSiteId', '7']);
        var d=document, g=d.createElement('script'), s=d.getElementsByTagName('script')[0];
        g.async=true; g.src=u+'matomo.js'; s.parentNode.insertBefore(g,s);
      })();
    </script>`
    suite.collector.files.set('/matomo.js', suite.collector.files.get('/headwater.js')!)
    suite.site.files.set('/f.zip', { type: 'application/zip', body: 'x' })
    const [page, errors] = await open(suite.page('/paq', html('<a href="/f.zip" download>file</a>', snippet)))
    await until(() => expect(seen()).toHaveLength(1))
    expect(seen()[0]!.params).toMatchObject({ action_name: 'Shop', idsite: '7' })
    await page.click('a')
    await page.evaluate(`_paq.push(['trackEvent', 'late', 'x'])`)
    await until(() => expect(told()).toEqual(['/matomo.php late x']))
    await until(() => expect(seen().some(({ params }) => params.download?.endsWith('/f.zip'))).toBe(true))
    expect(seen()).toHaveLength(3)
    expect(errors).toEqual([])
  })

  it("leaves Matomo's queue alone beside Matomo's snippet, and counts by itself", async () => {
    const both = `<script>_paq = [['setTrackerUrl', 'https://matomo.example/matomo.php'], ['trackEvent', 'a', 'b']]</script>${tag}`
    const [page] = await open(suite.page('/both', html('', both)))
    await until(() => expect(seen()).toHaveLength(1))
    expect(await page.evaluate('_paq.length')).toBe(2)
    expect(told()).toEqual([])
  })

  it('obeys rules in the page under the strictest policy, and shows them when asked to', async () => {
    const rules = JSON.stringify([
      { id: 'buy', on: 'click', selector: '.buy', track: { scenario: 5, category: 'buy', name: '{{text}}' } },
      { id: 'seen', on: 'visible', selector: '.ad', track: { category: 'seen', name: '{{id}}' } },
      { id: 'deep', on: 'scroll', depth: 90, track: { category: 'deep' } },
      { id: 'view', on: 'pageview', once: 'visitor', track: { category: 'first' } },
      { id: 'form', on: 'submit', selector: 'form', track: { category: 'sent', name: '{{text}}' } },
    ])
    const body = `<button class="buy"><b>Buy</b> now</button><form><input value="secret"></form>
      ${'<br>'.repeat(300)}<p class="ad" id="low">ad</p>
      <script type="application/json" data-hw-rules>${rules}</script>`
    const head = `<script nonce="abc" src="$COLLECTOR/headwater-preview.js"></script>${tag.replace('<script', '<script nonce="abc"')}`
    const policy = `default-src 'none'; script-src 'nonce-abc' 'strict-dynamic'; connect-src ${suite.collector.origin}; require-trusted-types-for 'script'`
    const [page, errors] = await open(
      suite.page('/rules', html(body, head), { 'content-security-policy': policy }),
      '?hw_debug=1',
    )
    await until(() => expect(told()).toEqual(['/matomo.php first pageview']))
    expect(await page.textContent('pre')).toContain('buy: waiting')
    await page.click('b')
    await page.evaluate(`document.addEventListener('submit', event => event.preventDefault())`)
    await page.evaluate(`document.querySelector('form').requestSubmit()`)
    await page.evaluate('scrollTo(0, 99999)')
    await until(() =>
      expect(told().sort()).toEqual([
        '/5 buy click Buy now',
        '/matomo.php deep scroll',
        '/matomo.php first pageview',
        '/matomo.php seen visible low',
        '/matomo.php sent submit',
      ]),
    )
    expect(await page.textContent('pre')).toContain('buy: fired')
    expect(errors).toEqual([])
    expect(JSON.stringify(suite.collector.received)).not.toContain('secret')
  })

  it('switches plugins on by attributes, and none without', async () => {
    const body = '<form name="order"><input></form><a href="https://other.example/x" onclick="return false">out</a>'
    const all = tag.replace(
      'data-site-id',
      'data-links data-forms data-scroll data-engagement data-errors data-site-id',
    )
    suite.page('/next', html('next', ''))
    for (const [head, expected] of [
      [tag, []],
      [all, ['/matomo.php JavaScript Errors', '/matomo.php form start order', '/matomo.php form abandon order']],
    ] as const) {
      suite.collector.received.length = 0
      const [page] = await open(suite.page('/plugins', html(body, head)))
      await until(() => expect(seen()).toHaveLength(1))
      await page.fill('input', 'secret')
      await page.click('a')
      await page.evaluate(`setTimeout(() => { throw new Error('boom') })`)
      // Time spent on the page is what is measured here.
      await page.waitForTimeout(1_100)
      await page.goto(`${suite.site.origin}/next`)
      await until(() => expect(told()).toHaveLength(expected.length))
      for (const text of expected) expect(told().some(one => one.startsWith(text))).toBe(true)
      expect(seen().filter(({ params }) => params.link)).toHaveLength(head === all ? 1 : 0)
      expect(seen().filter(({ params }) => +params.hw_eng! > 500)).toHaveLength(head === all ? 1 : 0)
      expect(JSON.stringify(suite.collector.received)).not.toContain('secret')
    }
  })

  it('makes the calls that the stub has kept, and brings the stub to life', async () => {
    const stub = readFileSync(new URL('../dist/stub.js', import.meta.url), 'utf8')
    const early = `<script>${stub}; var held = headwater; headwater.event('early', 'x'); headwater.q.push(['gone', []])</script>`
    for (const file of ['headwater.js', 'headwater-core.js']) {
      suite.collector.received.length = 0
      const [page, errors] = await open(suite.page('/stub', html('', early + tag.replace('headwater.js', file))))
      await until(() => expect(seen()).toHaveLength(2))
      await page.evaluate(`held.event('late', 'x')`)
      await until(() => expect(told()).toEqual(['/matomo.php early x', '/matomo.php late x']))
      expect(errors).toEqual([])
    }
  })

  it('delivers what a crashed page had not sent yet', async () => {
    const [page] = await open(suite.page('/crash', html('')))
    await until(() => expect(seen()).toHaveLength(1))
    await page.waitForFunction('window.headwater')
    await page.evaluate(`headwater.event('crash', 'x', 'n', { scenarioId: 5 }); headwater.event('crash', 'y')`)
    page.goto('chrome://crash').catch(() => {})
    await until(() => expect(told().sort()).toEqual(['/5 crash x n', '/matomo.php crash y']))
  })

  it('sends an event of a healthy page once, not by each way', async () => {
    suite.page('/next', html('next', ''))
    const [page] = await open(suite.page('/once', html('<a href="/next" data-hw-event="leave">next</a>')))
    await until(() => expect(seen()).toHaveLength(1))
    await page.evaluate(`headwater.event('c', 'a'); headwater.flush()`)
    await page.click('a')
    await page.waitForURL('**/next')
    await until(() => expect(told()).toHaveLength(2))
    // A page that is closed now would have sent what was left with the browser by then.
    await page.close()
    expect(suite.collector.received.flatMap(eventsIn)).toHaveLength(3)
  })
})
