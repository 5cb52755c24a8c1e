import type { EnginePage } from '@headwater/testkit'
import { expect, it } from 'vitest'
import { describeInEngines } from './engine-suite.ts'

describeInEngines('Tag rules', suite => {
  /** The strictest policy that lets the page report at all. */
  const headers = (): Record<string, string> => ({
    'content-security-policy': [
      `default-src 'none'`,
      `script-src 'nonce-r4nd0m' 'strict-dynamic'`,
      `connect-src ${suite.collector.origin}`,
      `require-trusted-types-for 'script'`,
    ].join('; '),
  })

  it('in the page are obeyed under the strictest policy', async () => {
    const page = await suite.open('tag-rules.html?from=mail', { headers: headers() })
    await suite.until(() => expect(suite.told().sort()).toEqual(['first pageview', 'late timer mail']))
    // Three times, of which the rule takes two; and one that the condition keeps back.
    for (const target of ['b', 'b', 'b', '.sold-out']) await page.click(target)
    await page.evaluate(`(addEventListener('submit', event => event.preventDefault()),
      document.querySelector('form').requestSubmit())`)
    await page.evaluate(`document.dispatchEvent(new CustomEvent('cart:add', { detail: { sku: 'S1', price: 9 } }))`)
    await page.click('.broken')
    await page.evaluate('scrollTo(0, 99999)')
    const failed = expect.stringMatching(/^failed error .*boom$/)
    await suite.until(() =>
      expect(suite.told().sort()).toEqual([
        '/5 buy click Buy now',
        '/5 buy click Buy now',
        'cart add S1',
        'deep scroll',
        failed,
        'first pageview',
        'late timer mail',
        'seen visible low',
        // A form's text may be what the visitor typed: nothing stands for it.
        'sent submit',
      ]),
    )
    expect(suite.clicks().find(({ params }) => params.e_c === 'cart')!.params.e_v).toBe('9')
    expect(await suite.leave(page)).toEqual([expect.stringContaining('boom')])
    expect(suite.clicks()).toHaveLength(9)
    expect(JSON.stringify(suite.collector.received)).not.toContain('secret')
  })

  it('that fire once for a visitor do not on the next page load', async () => {
    const page = await suite.open('tag-rules.html', { headers: headers() })
    await suite.until(() => expect(suite.told().sort()).toEqual(['first pageview', 'late timer']))
    await page.reload()
    await suite.until(() => expect(suite.told().filter(one => one === 'late timer')).toHaveLength(2))
    expect(await suite.leave(page)).toEqual([])
    expect(suite.clicks()).toHaveLength(3)
  })

  const shown = (page: EnginePage): Promise<string> => page.evaluate(`document.querySelector('pre')?.textContent ?? ''`)

  it('are shown at work to who asks, under the strictest policy', async () => {
    const page = await suite.open('preview.html?hw_debug=1', { headers: headers() })
    await suite.until(async () => expect(await shown(page)).toBe('buy: waiting\ngift: waiting'))
    await page.click('.buy')
    await page.click('.gift')
    await suite.until(async () => expect(await shown(page)).toBe('buy: fired\ngift: not met'))
    await page.click('.buy')
    await suite.until(async () => expect(await shown(page)).toBe('buy: limit\ngift: not met'))
    expect(await suite.leave(page)).toEqual([])
    await suite.until(() => expect(suite.told()).toEqual(['buy click']))
  })

  it('are not shown to visitors', async () => {
    const page = await suite.open('preview.html', { headers: headers() })
    await suite.ready(page)
    await page.click('.buy')
    await suite.until(() => expect(suite.told()).toEqual(['buy click']))
    expect(await shown(page)).toBe('')
    expect(await suite.leave(page)).toEqual([])
  })
})
