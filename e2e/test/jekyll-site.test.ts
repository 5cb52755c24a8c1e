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

/** What a site's owner may ask: all clicks, and one button on one page. Site 1 is where both forms report to. */
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
].map(scenario => ({ manager: 'test', site_id: 1, log_format: { '*': 1 }, logical_operator: 'AND', ...scenario }))

interface Click {
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

  function builtPages(): { file: string; html: string }[] {
    return readdirSync(destination, { recursive: true, encoding: 'utf8' })
      .filter(file => file.endsWith('.html'))
      .map(file => ({ file, html: readFileSync(join(destination, file), 'utf8') }))
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
      // A link: the click must outlive the page.
      await page.click('.card-title >> nth=0')
      await page.waitForURL('**/posts/*/')
      await page.waitForLoadState()
      await page.click('#좋아요')
      await page.goto(`${site.origin}/posts/clickstream/`)
      await page.click('#subscribe')
      await page.click('main p >> nth=0')
      await page.close()

      const rows = await until('every click in the archive', async () => {
        const found = await json<Click>(
          'query',
          '--json',
          "SELECT url, e_a AS tag, e_n AS id, params FROM event_log WHERE e_c = 'click' ORDER BY date",
        )
        return found.length >= 4 ? found : undefined
      })
      const korean = `/posts/${encodeURIComponent('실시간-집계')}/`
      const clicks = rows.map(({ url, tag, id }) => [url.slice(site?.origin.length), tag, id ?? null])
      expect(clicks.sort()).toEqual(
        [
          ['/', 'H1', null],
          [korean, 'BUTTON', '좋아요'],
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

      expect(await json('query', '--json', 'SELECT count(*)::INT AS views FROM event_log WHERE e_c IS NULL')).toEqual([
        { views },
      ])
      const stats = await json<{ scenario_id: number }>('stats', '--json')
      expect(stats.find(row => row.scenario_id === 21)).toMatchObject({ total_count: 4 + views, success_count: 4 })
      expect(stats.find(row => row.scenario_id === 22)).toMatchObject({ total_count: 4 + views, success_count: 1 })
    },
  )

  it('has the snippet once on every page, and a development build reports to this machine', async () => {
    await build('development', { form: 'fetch' })
    for (const { file, html } of builtPages())
      expect(html.split('fetch("http://localhost:8000/ingest"'), file).toHaveLength(2)
    await build('development', { form: 'sdk' })
    for (const { file, html } of builtPages())
      expect(html.split('src="http://localhost:8000/headwater.js"'), file).toHaveLength(2)
    expect(builtPages().length).toBeGreaterThan(10)
  })

  it('takes an address with characters that sed would read as its own, and refuses to be deployed without one', async () => {
    expect(() => injectUrl('')).toThrow('must be an address that ends in /ingest')
    expect(() => injectUrl('https://collect.example.com')).toThrow('must be an address that ends in /ingest')
    injectUrl('https://collect.example.com/a&b#c/ingest')
    await build('production', { form: 'fetch' })
    for (const { file, html } of builtPages())
      expect(html, file).toContain('fetch("https://collect.example.com/a&b#c/ingest"')
  })

  it('built for production without the secret reports nothing', async () => {
    await build('production', { form: 'sdk' })
    for (const { file, html } of builtPages()) expect(html, file).not.toMatch(/INGEST_API|headwater\.js/)
  })
})

interface Workflow {
  jobs: { build: { steps: { name: string; run?: string; env?: Record<string, string> }[] } }
}
