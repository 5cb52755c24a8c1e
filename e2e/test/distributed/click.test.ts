import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connectRedis, redisStatsReader } from '@headwater/processor/distributed'
import {
  type DistributedServices,
  downloadHdfs,
  type Fluentd,
  type Nginx,
  startChromium,
  startDistributedServices,
  startFluentd,
  startNginx,
} from '@headwater/testkit'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { servicesThere } from '../../src/distributed/services-there.ts'
import { newTenant, setUpTenant, type Tenant } from '../../src/distributed/tenant.ts'
import { type HeadwaterProcess, runHeadwater, startHeadwater } from '../../src/headwater-process.ts'
import type { CounterRow } from '../../src/round-result.ts'
import { until } from '../../src/until.ts'

const isThere = servicesThere('Fluentd', 'NGINX', 'Chromium')
const NGINX = fileURLToPath(new URL('../../../nginx/', import.meta.url))

describe.skipIf(!isThere)('through NGINX, Fluentd, Kafka, three workers, Redis and HDFS', () => {
  let services: DistributedServices
  let tenant: Tenant
  let dir: string
  let nginx: Nginx
  let fluentd: Fluentd
  let gateway: HeadwaterProcess
  let shop: Server
  const workers: HeadwaterProcess[] = []
  const total = async (scenarioId: number): Promise<number> => {
    const stats = await runHeadwater(join(dir, 'command'), tenant.settings, ['stats', '--json'])
    const rows: CounterRow[] = JSON.parse(stats)
    return rows.find(row => row.scenario_id === scenarioId)?.total_count ?? 0
  }

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'headwater-chain-'))
    services = await startDistributedServices()
    tenant = await newTenant(services, 3)
    await setUpTenant(tenant, join(dir, 'command'))
    nginx = await startNginx({ configuration: NGINX })
    const topic = `${tenant.name}-access-log`
    fluentd = await startFluentd({ log: nginx.log, brokers: services.kafka.bootstrap, topic })
    for (const stage of ['filter', 'stats', 'archive'])
      workers.push(await startHeadwater(join(dir, stage), tenant.settings, ['worker', stage]))
    // Serves the script; the beacons go to NGINX.
    gateway = await startHeadwater(join(dir, 'gateway'), tenant.settings, ['gateway'])
    shop = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html; charset=utf-8')
      response.end(`<!doctype html><title>고면</title>
        <script async src="http://127.0.0.1:${gateway.ports.gateway}/headwater.js" data-endpoint="http://127.0.0.1:${nginx.port}"
          data-site-id="1" data-member-id="123456"></script>
        <button data-hw-event="buttonClick" data-hw-action="Clicked" data-hw-name="고면할당하기" data-hw-scenario="5">buy</button>`)
    }).listen(0, '127.0.0.1')
  }, 300_000)
  afterAll(async () => {
    shop?.close()
    for (const process of [...workers, gateway]) await process?.kill()
    await fluentd?.stop()
    await nginx?.stop()
    await tenant?.close()
    await services?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  it('a click in a real browser is counted by its scenario and lies in Parquet', async () => {
    const { browser, close } = await startChromium()
    const clicked = { at: 0 }
    try {
      const page = await browser.newPage({ timezoneId: 'Asia/Seoul', locale: 'ko-KR' })
      await page.goto(`http://localhost:${(shop.address() as AddressInfo).port}/product_detail/a`)
      await page.waitForFunction('window.headwater !== undefined')
      clicked.at = performance.now()
      await page.click('button')
      await until('the click in the statistics', async () => ((await total(5)) === 1 ? true : undefined), 60_000)
    } finally {
      await close()
    }
    console.log(`click → headwater stats shows it: ${(performance.now() - clicked.at).toFixed(0)} ms`)
    const copy = join(dir, 'copy')
    const [click] = await until(
      'the click in the archive',
      async () => {
        await downloadHdfs(services.hdfs.nameNodeUrl, tenant.root, join(copy, 'archive'))
        const sql = 'SELECT e_c, e_a, e_n, member_id FROM event_log WHERE scenario_id = 5'
        const rows = JSON.parse(await runHeadwater(copy, {}, ['query', '--json', sql]).catch(() => '[]')) as unknown[]
        return rows.length > 0 ? rows : undefined
      },
      60_000,
    )
    expect(click).toEqual({ e_c: 'buttonClick', e_a: 'Clicked', e_n: '고면할당하기', member_id: '123456' })
  }, 120_000)

  it('every line is readable in the counters soon after it was written', async () => {
    const before = await total(1)
    const lines = 400
    const writtenAt: number[] = []
    const seenAt: number[] = []
    const redis = connectRedis({ url: tenant.settings.HEADWATER_REDIS_URL as string, log: pino({ level: 'silent' }) })
    const reader = redisStatsReader({ redis, topic: `${tenant.name}-scenario-log` })
    const readable = async (): Promise<number> => {
      const rows = (await reader.counters({ scenarioId: 1, resolutions: [] })).read()
      return rows.reduce((sum, row) => sum + row.total_count, 0)
    }
    const asking = (async () => {
      while (seenAt.length < lines) {
        const seen = Math.min((await readable()) - before, lines)
        while (seenAt.length < seen) seenAt.push(performance.now())
        await pause(10)
      }
    })()
    for (let i = 0; i < lines; i++) {
      const id = `fresh-${i}-`.padEnd(22, 'x')
      const line =
        `203.0.113.7 - - [22/Nov/2026:10:00:00 +0000] "GET /matomo.php?idsite=1&rec=1&_id=0123456789abcdef&hw_id=${id} HTTP/1.1" ` +
        `204 0 "-" "test" "-" ${i.toString(16).padStart(32, '0')} ${(Date.now() / 1000).toFixed(3)} "-"\n`
      writtenAt.push(performance.now())
      await appendFile(nginx.log, line)
      await pause(20)
    }
    await asking
    redis.close()
    const ages = seenAt.map((at, i) => at - (writtenAt[i] as number)).sort((a, b) => a - b)
    const p = (share: number) => (ages[Math.floor((ages.length - 1) * share)] as number).toFixed(0)
    console.log(`log line → counter readable in Redis, by Fluentd: p50 ${p(0.5)} ms, p99 ${p(0.99)} ms`)
    expect(await total(1)).toBe(before + lines)
  }, 120_000)
})
