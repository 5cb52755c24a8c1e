import { fileURLToPath } from 'node:url'
import { eventsOf, getParam, parseLogLine } from '@headwater/core'
import {
  type Collector,
  type Engine,
  type EngineVisitor,
  engines,
  serviceOrSkip,
  startCollector,
} from '@headwater/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type StartedGateway, startedGateway, until } from './started-gateway.ts'

/** The site and its collector are two hosts of one site; browsers take both for this machine (RFC 6761 §6.3). */
const HOSTS = { site: 'www.shop.localhost', collector: 'collect.shop.localhost' }

interface Seen {
  id: string | undefined
  isNew: string | undefined
  category: string | undefined
}

for (const installed of engines())
  describe.skipIf(!serviceOrSkip(installed.name, !installed.missing, installed.missing))(
    `The visitor in a cookie of the gateway, in ${installed.name},`,
    () => {
      let engine: Engine
      let site: Collector
      let gateway: StartedGateway
      let visitor: EngineVisitor | undefined
      /** Lines of earlier tests. */
      let before = 0

      beforeAll(async () => {
        ;[engine, site, gateway] = await Promise.all([
          installed.start(),
          startCollector(),
          startedGateway({
            sites: [{ id: 1, hosts: [HOSTS.site] }],
            identity: { serverCookie: true },
            sdkDir: fileURLToPath(new URL('../../sdk/dist', import.meta.url)),
          }),
        ])
        for (const [path, attributes] of [
          ['/asks', 'data-server-cookie'],
          ['/asks-not', ''],
          ['/cookieless', 'data-server-cookie data-cookieless'],
        ] as const)
          site.files.set(path, {
            type: 'text/html',
            body: `<!doctype html><title>shop</title><script async src="http://${HOSTS.collector}:${gateway.port}/headwater.js" data-site-id="1" ${attributes}></script>`,
          })
      })
      afterEach(async () => {
        await visitor?.close()
        visitor = undefined
        before = gateway.lines().length
      })
      afterAll(async () => {
        await engine?.close()
        await Promise.all([site?.close(), gateway?.stop()])
      })

      const seen = (): Seen[] =>
        gateway
          .lines()
          .slice(before)
          .flatMap(line => {
            const record = parseLogLine(line)
            const events =
              'rejected' in record ? record : eventsOf(record, { source: 't', position: 0, ingestSiteId: 1 })
            if ('rejected' in events) throw new Error(`${events.rejected}: ${line}`)
            return events.flatMap(event =>
              'rejected' in event
                ? []
                : [
                    {
                      id: event.visitorId,
                      isNew: getParam(event.params, '_idn'),
                      category: getParam(event.params, 'e_c'),
                    },
                  ],
            )
          })
      const arrived = (count: number): Promise<unknown> =>
        vi.waitFor(() => expect(seen().length).toBeGreaterThanOrEqual(count), { timeout: 10_000, interval: 20 })
      const answered = async (): Promise<number> => {
        const requests = await gateway.gateway.registry.getSingleMetric('headwater_gateway_requests_total')?.get()
        return requests?.values.reduce((sum, { value }) => sum + value, 0) ?? 0
      }
      /** A visit by somebody whose browser has forgotten what scripts had written. */
      const visit = async (path: string, count: number): Promise<void> => {
        visitor ??= await engine.newVisitor()
        const page = await visitor.newPage()
        await page.goto(`http://${HOSTS.site}:${new URL(site.origin).port}${path}`)
        await arrived(count)
        await page.evaluate(`void headwater.event('first'), headwater.flush()`)
        await arrived(count + 1)
        // Left in a hurry: by beacon.
        await page.evaluate(`(headwater.event('last'), void setTimeout(() => { location.href = 'about:blank' }))`)
        await arrived(count + 2)
        await page.close()
      }
      const forgetScripts = async (): Promise<void> => {
        const page = await (visitor as EngineVisitor).newPage()
        site.files.set('/bare', { type: 'text/html', body: '<!doctype html>bare' })
        await page.goto(`http://${HOSTS.site}:${new URL(site.origin).port}/bare`)
        expect(await page.evaluate('document.cookie')).not.toBe('')
        await page.evaluate(`(document.cookie = '_hw_id=; max-age=0; path=/', localStorage.clear())`)
        await page.close()
      }

      // WebKitGTK was seen to keep no Secure cookie of a collector on plain http; the other two take this machine for safe.
      it.skipIf(installed.name === 'webkit')('outlives what scripts have written, by fetch and by beacon', async () => {
        await visit('/asks', 1)
        await forgetScripts()
        await visit('/asks', 4)
        expect(seen().map(({ category }) => category)).toEqual([undefined, 'first', 'last', undefined, 'first', 'last'])
        expect(new Set(seen().map(({ id }) => id)).size).toBe(1)
        expect(seen().map(({ isNew }) => isNew)).toEqual(['1', '0', '0', '0', '0', '0'])
      })

      it('is not there for a page that does not ask, nor without storage', async () => {
        await visit('/asks-not', 1)
        await forgetScripts()
        await visit('/asks-not', 4)
        await visit('/cookieless', 7)
        const ids = seen().map(({ id }) => id)
        expect(new Set(ids).size).toBe(3)
        expect([ids[0], ids[3], ids[6]]).toEqual([ids[2], ids[5], ids[8]])
      })

      it('ends when consent is withdrawn', async () => {
        await visit('/asks', 1)
        const page = await (visitor as EngineVisitor).newPage()
        await page.goto(`http://${HOSTS.site}:${new URL(site.origin).port}/asks`)
        await arrived(4)
        await page.evaluate('headwater.flush()')
        const soFar = await answered()
        await page.evaluate(`headwater.consent('denied')`)
        expect(await page.evaluate('document.cookie')).toBe('')
        // The beacon that asks for it is no event, so no line tells of it.
        await until(async () => (await answered()) > soFar)
        await page.close()
        await visit('/asks', 5)
        const ids = seen().map(({ id }) => id)
        expect(new Set(ids.slice(0, 4)).size).toBe(1)
        expect(ids[4]).not.toBe(ids[0])
      })
    },
  )
