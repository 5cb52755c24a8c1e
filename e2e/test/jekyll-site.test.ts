import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  buildJekyllSite,
  chromiumPath,
  findJekyll,
  jekyllMissing,
  type ServedFolder,
  type StartedBrowser,
  serveFolder,
  serviceOrSkip,
  startChromium,
} from '@headwater/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type HeadwaterProcess, runHeadwater, startHeadwater } from '../src/headwater-process.ts'
import { until } from '../src/until.ts'

const SITE = fileURLToPath(new URL('../../examples/jekyll-site', import.meta.url))
const THEME = 'jekyll-theme-chirpy'
const jekyll = findJekyll(THEME)
const canRun = serviceOrSkip('Jekyll', jekyll, jekyllMissing(THEME)) && serviceOrSkip('Chromium', chromiumPath())

/** A build, a server and a browser in one test; the machine may be busy. */
const SLOW_MS = 90_000

/** What a site's owner may ask: all clicks, one button on one page, all clicks of one page. Site 1 is where both forms report to. */
const SCENARIOS = [
  { scenario_id: 21, title: '모든 클릭', filters: [{ left: 'e_c', operator: '==', right: 'click' }] },
  {
    scenario_id: 22,
    title: '구독 버튼',
    filters: [
      { left: 'path', operator: '==', right: '/posts/clickstream/' },
      { left: 'e_a', operator: '==', right: 'BUTTON' },
      { left: 'e_n', operator: '==', right: 'subscribe' },
    ],
  },
  {
    scenario_id: 23,
    title: '둘째 글의 클릭',
    filters: [
      { left: 'path', operator: '==', right: '/posts/실시간-집계/' },
      { left: 'e_c', operator: '==', right: 'click' },
    ],
  },
].map(scenario => ({ manager: 'test', site_id: 1, log_format: { '*': 1 }, logical_operator: 'AND', ...scenario }))

interface Counted {
  scenario_id: number
  total_count: number
  success_count: number
}

interface Row {
  /** null: a page view. */
  e_c: string | null
  url: string
  tag: string
  id: string | null
  params: string
}

describe.skipIf(!canRun)('the blog', () => {
  let dir: string
  let source: string
  let destination: string
  let settings: Record<`HEADWATER_${string}`, string>
  let server: HeadwaterProcess | undefined
  let site: ServedFolder | undefined
  let chromium: StartedBrowser

  beforeAll(async () => {
    chromium = await startChromium()
  })
  afterAll(() => chromium?.close())

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'headwater-blog-'))
    source = join(dir, 'blog')
    destination = join(dir, 'site')
    cpSync(SITE, source, { recursive: true })
    settings = {
      HEADWATER_SCENARIOS_FILE: join(dir, 'scenarios.json'),
      HEADWATER_ARCHIVE_ROLL_EVERY_MS: '300',
      HEADWATER_LOG_LEVEL: 'warn',
    }
  })
  afterEach(async () => {
    await site?.close()
    await server?.stop()
    site = undefined
    server = undefined
    await rm(dir, { recursive: true, force: true })
  })

  /** Builds with keys laid over `_config.yml`; JSON is YAML. */
  async function build(environment: 'development' | 'production', clickstream: object): Promise<void> {
    const config = join(dir, 'test.yml')
    // Self-hosted assets: the page asks no content delivery network for scripts and fonts.
    await writeFile(config, JSON.stringify({ clickstream, assets: { self_host: { enabled: true } } }))
    buildJekyllSite({ jekyll: jekyll as string, source, destination, environment, configs: [config] })
  }

  /** Runs the workflow's own step on the copy, with the secret as its environment. */
  function injectUrl(ingestUrl: string | undefined): void {
    const workflow = join(source, '.github/workflows/pages-deploy.yml')
    const asJson = execFileSync('ruby', ['-ryaml', '-rjson', '-e', 'puts YAML.load_file(ARGV[0]).to_json', workflow])
    const { jobs } = JSON.parse(asJson.toString()) as Workflow
    const names = jobs.build.steps.map(step => step.name)
    const step = jobs.build.steps.find(({ name }) => name === 'Inject Ingest URL')
    expect(names.indexOf('Inject Ingest URL')).toBeLessThan(names.indexOf('Build'))
    expect(step?.env).toEqual({ INGEST_URL: expect.stringMatching(/^\$\{\{ secrets\.INGEST_API_GATEWAY_URL \}\}$/) })
    // GitHub runs steps so: https://docs.github.com/actions/reference/workflow-syntax-for-github-actions#jobsjob_idstepsshell
    execFileSync('bash', ['-e', '-c', step?.run ?? 'false'], {
      cwd: source,
      stdio: 'pipe',
      env: { ...process.env, INGEST_URL: ingestUrl },
    })
  }

  /** All but mere redirections. */
  function builtPages(): { file: string; html: string }[] {
    return readdirSync(destination, { recursive: true, encoding: 'utf8' })
      .filter(file => file.endsWith('.html'))
      .map(file => ({ file, html: readFileSync(join(destination, file), 'utf8') }))
      .filter(({ html }) => !html.includes('http-equiv="refresh"'))
  }

  const json = async <T>(...args: string[]) => JSON.parse(await runHeadwater(dir, settings, args)) as T[]

  it.each([
    { environment: 'development', form: 'sdk', views: 3 },
    { environment: 'development', form: 'fetch', views: 0 },
    { environment: 'production', form: 'sdk', views: 3 },
    { environment: 'production', form: 'fetch', views: 0 },
  ] as const)(
    'built for $environment reports clicks in the form $form, path, tag and id intact',
    async ({ environment, form, views }) => {
      await writeFile(join(dir, 'scenarios.json'), JSON.stringify(SCENARIOS))
      server = await startHeadwater(dir, settings)
      const ingest = `http://127.0.0.1:${server.ports.gateway}/ingest`
      if (environment === 'production') injectUrl(ingest)
      await build(environment, environment === 'production' ? { form } : { form, development_url: ingest })
      site = await serveFolder(destination)

      const page = await chromium.browser.newPage({ timezoneId: 'Asia/Seoul', locale: 'ko-KR' })
      await page.goto(site.origin)
      expect(await page.getAttribute('html', 'lang')).toBe('ko-KR')
      expect(await page.textContent('.nav-item.active')).toContain('처음')
      // A link: the click must outlive the page. (Of the cards the last lies on top while Bootstrap is missing.)
      await page.click('a.post-preview >> nth=1')
      await page.waitForURL('**/posts/clickstream/')
      await page.waitForLoadState()
      await page.click('#subscribe')
      await page.click('main p >> nth=0')
      // The last click comes before Headwater's script does.
      let click = () => {}
      const clicked = new Promise<void>(resolve => {
        click = resolve
      })
      await page.route('**/headwater.js', async route => {
        await clicked
        await route.continue()
      })
      await page.goto(`${site.origin}/posts/실시간-집계/`, { waitUntil: 'domcontentloaded' })
      await page.click('#좋아요')
      click()

      // Asking the process is cheap, `headwater query` is a process of its own.
      await until('every click in the statistics', async () => {
        const answer = await fetch(`http://127.0.0.1:${server?.ports.metrics}/stats`)
        const { rows } = (await answer.json()) as { rows: Counted[] }
        return rows.some(row => row.scenario_id === 21 && row.success_count >= 4) ? true : undefined
      })
      const events = await until('all of it in the archive', async () => {
        const found = await json<Row>(
          'query',
          '--json',
          'SELECT e_c, url, e_a AS tag, e_n AS id, params FROM event_log',
        )
        return found.length >= 4 + views ? found : undefined
      })
      expect(events).toHaveLength(4 + views)
      const rows = events.filter(row => row.e_c === 'click')
      const clicks = rows.map(({ url, tag, id }) => [decodeURI(url.slice(site?.origin.length)), tag, id ?? null])
      expect(clicks.sort()).toEqual(
        [
          ['/', 'A', null],
          ['/posts/실시간-집계/', 'BUTTON', '좋아요'],
          ['/posts/clickstream/', 'BUTTON', 'subscribe'],
          ['/posts/clickstream/', 'P', null],
        ].sort(),
      )
      if (form === 'fetch')
        for (const row of rows)
          expect(JSON.parse(row.params)).toMatchObject({
            path: row.url.slice(site.origin.length),
            tag: row.tag,
            timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/),
          })

      const stats = await json<Counted>('stats', '--json')
      expect(stats.map(({ scenario_id: id, total_count, success_count }) => [id, total_count, success_count])).toEqual([
        [21, 4 + views, 4],
        [22, 4 + views, 1],
        [23, 4 + views, 1],
      ])
      await page.close()
    },
    SLOW_MS,
  )

  it(
    'has the snippet once on every page, and a development build reports to this machine',
    async () => {
      await build('development', { form: 'fetch' })
      for (const { file, html } of builtPages())
        expect(html.split('fetch("http://localhost:8000/ingest"'), file).toHaveLength(2)
      await build('development', { form: 'sdk' })
      for (const { file, html } of builtPages())
        expect(html.split('src="http://localhost:8000/headwater.js"'), file).toHaveLength(2)
      expect(builtPages().length).toBeGreaterThan(10)
    },
    SLOW_MS,
  )

  it(
    'takes an address with characters that sed would read as its own, and refuses to be deployed without one',
    async () => {
      expect(() => injectUrl('')).toThrow('must be an address that ends in /ingest')
      expect(() => injectUrl('https://collect.example.com')).toThrow('must be an address that ends in /ingest')
      injectUrl('https://collect.example.com/a&b#c/ingest')
      await build('production', { form: 'fetch' })
      for (const { file, html } of builtPages())
        expect(html, file).toContain('fetch("https://collect.example.com/a&b#c/ingest"')
    },
    SLOW_MS,
  )

  it(
    'built for production without the secret reports nothing',
    async () => {
      await build('production', { form: 'sdk' })
      for (const { file, html } of builtPages()) expect(html, file).not.toMatch(/INGEST_API|headwater\.js/)
    },
    SLOW_MS,
  )
})

interface Workflow {
  jobs: { build: { steps: { name: string; run?: string; env?: Record<string, string> }[] } }
}
