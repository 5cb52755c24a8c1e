import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  chromiumPath,
  type ServedFolder,
  type StartedBrowser,
  serveFolder,
  serviceOrSkip,
  startChromium,
} from '@headwater/testkit'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HeadwaterProcess, runHeadwater, startHeadwater } from '../src/headwater-process.ts'
import { until } from '../src/until.ts'

const SHOP = fileURLToPath(new URL('../../examples/spa', import.meta.url))
/** The example is no workspace: it has its own lock file, as a shop of one's own would. */
const vite = join(SHOP, 'node_modules/vite/bin/vite.js')
const canRun =
  serviceOrSkip('examples/spa/node_modules', existsSync(vite) ? vite : undefined, 'run npm ci --prefix examples/spa') &&
  serviceOrSkip('Chromium', chromiumPath())

/** A dozen page views, each waited for; the machine may be busy. */
const SLOW_MS = 90_000

const VIEWS = 31
const PURCHASES = 32
const SCENARIOS = [
  { scenario_id: VIEWS, title: 'page views', filters: [{ left: 'e_c', operator: 'not_exists', right: '' }] },
  {
    scenario_id: PURCHASES,
    title: 'men over 20 who buy',
    filters: [
      { left: 'e_a', operator: '==', right: 'buy' },
      { left: 'age', operator: '>', right: '20' },
      { left: 'gender', operator: '==', right: 'MALE' },
    ],
  },
].map(scenario => ({ manager: 'test', site_id: 1, log_format: { '*': 1 }, logical_operator: 'AND', ...scenario }))

describe.skipIf(!canRun)('the single-page shop', () => {
  let dir: string
  let settings: Record<`HEADWATER_${string}`, string>
  let server: HeadwaterProcess
  let shop: ServedFolder
  let chromium: StartedBrowser

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'headwater-shop-'))
    settings = {
      HEADWATER_SCENARIOS_FILE: join(dir, 'scenarios.json'),
      HEADWATER_MEMBERS_FILE: join(dir, 'members.csv'),
      HEADWATER_ARCHIVE_ROLL_EVERY_MS: '300',
      HEADWATER_LOG_LEVEL: 'warn',
    }
    await writeFile(join(dir, 'scenarios.json'), JSON.stringify(SCENARIOS))
    await writeFile(join(dir, 'members.csv'), 'member_id,age,gender\n123456,34,MALE\n')
    server = await startHeadwater(dir, settings)
    execFileSync(process.execPath, [vite, 'build', '--outDir', join(dir, 'shop'), '--logLevel', 'error'], {
      cwd: SHOP,
      stdio: 'pipe',
      // Vitest's own NODE_ENV=test would give React's development build.
      env: { ...process.env, NODE_ENV: 'production', VITE_COLLECTOR: `http://127.0.0.1:${server.ports.gateway}` },
    })
    shop = await serveFolder(join(dir, 'shop'), 'index.html')
    chromium = await startChromium()
  })
  afterAll(async () => {
    await chromium?.close()
    await shop?.close()
    await server?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  const json = async <T>(...args: string[]) => JSON.parse(await runHeadwater(dir, settings, args)) as T[]

  /** A visitor of the shop, and every request the visitor's browser makes to the collector. */
  async function visit(): Promise<{ context: BrowserContext; page: Page; sent: string[] }> {
    const context = await chromium.browser.newContext()
    const sent: string[] = []
    context.on('request', request => {
      if (!request.url().startsWith(shop.origin)) sent.push(request.url())
    })
    const page = await context.newPage()
    await page.goto(shop.origin)
    await page.waitForSelector('h1')
    return { context, page, sent }
  }

  const successes = async (scenarioId: number): Promise<number> => {
    const { rows } = (await (await fetch(`http://127.0.0.1:${server.ports.metrics}/stats`)).json()) as {
      rows: { scenario_id: number; success_count: number }[]
    }
    return rows.find(row => row.scenario_id === scenarioId)?.success_count ?? 0
  }
  /** The statistics are what is waited for: a navigation is counted before the next one begins. */
  const viewsCounted = (count: number) =>
    until(`${count} page views`, async () => ((await successes(VIEWS)) >= count ? true : undefined))

  it(
    'counts each page once, sends nothing before consent, and says who acted after the sign-in',
    async () => {
      const refusing = await visit()
      await refusing.page.click('text=Kettle')
      await refusing.page.click('text=Remember')
      await refusing.page.click('text=Refuse')
      await refusing.page.click('text=Buy')
      await refusing.page.reload()
      await refusing.page.click('text=Catalogue')
      expect(await refusing.context.cookies()).toEqual([])
      expect(await refusing.page.evaluate(() => Object.keys(localStorage))).toEqual(['shop-consent'])
      await refusing.page.close() // what waits would be handed over now
      await refusing.context.close()
      expect(refusing.sent).toEqual([])

      const { context, page, sent } = await visit()
      await page.click('text=Kettle')
      await page.waitForSelector('h1:text("Kettle")')
      await page.click('text=Remember')
      await page.waitForFunction('document.title === "Kettle"')
      expect(sent).toEqual([])
      expect(await context.cookies()).toEqual([])
      expect(await page.evaluate(() => Object.keys(localStorage))).toEqual([])
      await page.click('text=Accept')
      await viewsCounted(2)
      expect((await context.cookies()).map(({ name }) => name)).toEqual(['_hw_id'])

      await page.click('text=Catalogue')
      await viewsCounted(3)
      await page.click('text=Cheapest first') // ?sort=price: no other page, but a click that a rule counts
      await page.waitForURL('**/?sort=price')
      await page.click('text=Last year') // redirected: one page
      await page.waitForURL('**/products/lamp')
      await viewsCounted(4)
      await page.click('text=Account')
      await viewsCounted(5)
      await page.fill('input[name=member]', '123456')
      await page.click('text=Sign in')
      await viewsCounted(6)
      await page.click('text=찻주전자')
      await viewsCounted(7)
      await page.click('text=Buy')
      await page.goBack()
      await viewsCounted(8)
      await page.reload()
      await viewsCounted(9)
      await page.click('text=Account')
      await viewsCounted(10)
      await page.click('text=Sign out')
      await page.click('text=Catalogue')
      await viewsCounted(11)
      await page.click('text=Lamp')
      await viewsCounted(12)
      await page.click('text=Buy')
      await page.close()

      const paths = await until('the last event in the archive', async () => {
        const rows = await json<Row>('query', '--json', EVENTS)
        return rows.some(row => row.e_a === 'buy' && row.member_id == null) ? rows : undefined
      })
      // Whatever their order: a view waits a tenth of a second for its title, and a quick click may be before it.
      const expected = [
        'Catalogue / -',
        'Kettle /products/kettle -',
        'remember kettle -',
        'Catalogue / -',
        'sort Cheapest first -',
        'Lamp /products/lamp -',
        'Account /account -',
        'Catalogue / 123456',
        '찻주전자 /products/teapot 123456',
        'buy teapot 123456',
        'Catalogue / 123456',
        'Catalogue / 123456',
        'Account /account 123456',
        'Catalogue / -',
        'Lamp /products/lamp -',
        'buy lamp -',
      ]
      expect(paths.map(seen).sort()).toEqual(expected.sort())
      const stats = await json<{ scenario_id: number }>('stats', '--json')
      expect(stats.find(row => row.scenario_id === VIEWS)).toMatchObject({ total_count: 16, success_count: 12 })
      expect(stats.find(row => row.scenario_id === PURCHASES)).toMatchObject({ total_count: 16, success_count: 1 })
      // One visitor throughout, and the one who refused nowhere.
      expect(await json('query', '--json', 'SELECT count(DISTINCT visitor_id)::INT AS n FROM event_log')).toEqual([
        { n: 1 },
      ])

      function seen(row: Row): string {
        const what = row.e_c === null ? `${row.action_name} ${pathOf(row.url)}` : `${row.e_a} ${row.e_n}`
        return `${what} ${row.member_id ?? '-'}`
      }
      function pathOf(url: string): string {
        expect(url.startsWith(shop.origin)).toBe(true)
        return new URL(url).pathname
      }
    },
    SLOW_MS,
  )
})

interface Row {
  e_c: string | null
  e_a: string | null
  e_n: string | null
  action_name: string | null
  url: string
  member_id: string | null
}

/** In the order they happened; the number within the page breaks ties. */
const EVENTS =
  'SELECT e_c, e_a, e_n, action_name, url, member_id FROM event_log ' +
  "ORDER BY CAST(params->>'$.hw_ts' AS BIGINT), CAST(params->>'$.hw_seq' AS INT)"
