import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromiumPath, serviceOrSkip, startChromium } from '@headwater/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HeadwaterProcess, runHeadwater, startHeadwater } from '../src/headwater-process.ts'
import { until } from '../src/until.ts'

const settings = { HEADWATER_ARCHIVE_ROLL_EVERY_MS: '300', HEADWATER_LOG_LEVEL: 'warn' }

describe.skipIf(!serviceOrSkip('Chromium', chromiumPath()))('a first click', () => {
  let dir: string
  let server: HeadwaterProcess
  let shop: Server

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'headwater-first-click-'))
    server = await startHeadwater(dir, settings)
    // The shop stands on another origin than the collector, as it does in life.
    shop = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html; charset=utf-8')
      response.end(`<!doctype html><title>고면</title>
        <script async src="http://127.0.0.1:${server.ports.gateway}/headwater.js" data-site-id="1" data-member-id="123456"></script>
        <button data-hw-event="buttonClick" data-hw-action="Clicked" data-hw-name="고면할당하기" data-hw-scenario="5">buy</button>`)
    }).listen(0, '127.0.0.1')
  })
  afterAll(async () => {
    shop?.close()
    await server?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  it('in a real browser is counted by its scenario and lies in Parquet, its Korean name and millisecond intact', async () => {
    const { browser, close } = await startChromium()
    try {
      const page = await browser.newPage({ timezoneId: 'Asia/Seoul', locale: 'ko-KR' })
      await page.goto(`http://localhost:${(shop.address() as AddressInfo).port}/product_detail/a`)
      await page.waitForFunction('window.headwater !== undefined')
      const clicked = performance.now()
      await page.click('button')
      const row = await until('the click in the statistics', async () => {
        const rows = JSON.parse(await (await fetch(`http://127.0.0.1:${server.ports.metrics}/stats`)).text()).rows
        return rows.find(
          (r: { scenario_id: number; total_count: number }) => r.scenario_id === 5 && r.total_count === 1,
        )
      })
      console.log(`click → counter readable: ${(performance.now() - clicked).toFixed(0)} ms`)
      expect(row).toMatchObject({ total_count: 1, present: true })
    } finally {
      await close()
    }

    const stats = JSON.parse(await runHeadwater(dir, settings, ['stats', '--json']))
    expect(stats.find((row: { scenario_id: number }) => row.scenario_id === 5)).toEqual({
      scenario_id: 5,
      title: '9시 이후 구매 버튼을 클릭한 성인 남성 사용자 필터링',
      judging_version: 1,
      total_count: 1,
      success_count: expect.any(Number), // the hour in Seoul decides
      success_ratio: expect.any(Number),
      last_event_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    })
    const query = async (sql: string) => JSON.parse(await runHeadwater(dir, settings, ['query', '--json', sql]))
    const [click] = await until('the click in the archive', async () => {
      const rows = await query(
        'SELECT e_c, e_a, e_n, member_id, epoch_ms(date)::BIGINT AS ms FROM event_log WHERE scenario_id = 5',
      )
      return rows.length > 0 ? rows : undefined
    })
    expect(click).toMatchObject({ e_c: 'buttonClick', e_a: 'Clicked', e_n: '고면할당하기', member_id: '123456' })
    const line = (await readFile(join(dir, 'log', 'access.log'), 'latin1'))
      .split('\n')
      .find(text => text.includes('/5?'))
    const [, seconds, millis] = /([0-9]{10})\.([0-9]{3}) "/.exec(line ?? '') ?? []
    const delay = Number(/[?&]cdo=(\d+)/.exec(line ?? '')?.[1] ?? 0)
    expect(click.ms).toBe(Number(`${seconds}${millis}`) - delay * 1000)
    // The page view went to the site's scenario, the click to its own only.
    expect(await query('SELECT scenario_id, count(*)::INT AS n FROM scenario_log GROUP BY 1 ORDER BY 1')).toEqual([
      { scenario_id: 1, n: 1 },
      { scenario_id: 5, n: 1 },
    ])
  })
})
