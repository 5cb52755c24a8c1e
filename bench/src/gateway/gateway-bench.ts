import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventsOf, parseLogLine } from '@headwater/core'
import { findNginx } from '@headwater/testkit'
import {
  atLeast,
  atMost,
  type Bench,
  inTurns,
  type Measured,
  median,
  type Row,
  type RunOptions,
  shown,
} from '../bench.ts'
import { BEACON_LOADS, type BeaconLoad, USER_AGENT } from './beacon-loads.ts'
import { type Contender, gatewayContender, nginxContender } from './contender.ts'
import { hasWrk, runWrk } from './wrk.ts'

const CONNECTIONS = 64

/** Requests per CPU-second of the gateway on both front ends, beside a real NGINX with our configuration. */
export const gatewayBench: Bench = {
  name: 'gateway',
  about: 'beacons over 64 keep-alive connections: gateway on uWebSockets.js and node:http beside NGINX, one worker',
  run,
}

async function run({ scale }: RunOptions): Promise<Measured> {
  const small = scale === 'small'
  if (!hasWrk()) return skipped('wrk is not installed (Debian: wrk)')
  if (findNginx() === undefined) return skipped('nginx is not installed (Debian: nginx-light)')
  const folder = mkdtempSync(join(tmpdir(), 'headwater-bench-'))
  const contenders = new Map<string, Contender>()
  try {
    contenders.set('NGINX', await nginxContender())
    contenders.set('uWebSockets.js', await gatewayContender('uws', folder))
    contenders.set('node:http', await gatewayContender('node', folder))
    const rows: Row[] = []
    const ratios = new Map<string, number>()
    const p99 = new Map<string, number>()
    for (const load of BEACON_LOADS) {
      const scriptFile = load.script === undefined ? undefined : join(folder, 'load.lua')
      if (scriptFile !== undefined) writeFileSync(scriptFile, load.script as string)
      const latencies = new Map<string, number[]>([...contenders.keys()].map(name => [name, []]))
      const measure = (name: string, contender: Contender) => async (): Promise<number> => {
        const logBytes = statSync(contender.log).size
        const before = contender.cpuSeconds()
        const seen = await runWrk(`http://127.0.0.1:${contender.port}${load.target}`, {
          connections: CONNECTIONS,
          seconds: small ? 1 : 5,
          userAgent: USER_AGENT,
          scriptFile,
        })
        const seconds = contender.cpuSeconds() - before
        if (seen.failed > 0) throw new Error(`${name}, ${load.name}: ${seen.failed} of ${seen.requests} failed`)
        await checkLog(name, contender.log, logBytes, load, seen.requests)
        latencies.get(name)?.push(seen.p99Ms)
        return seen.requests / seconds
      }
      const rates = await inTurns(
        small ? 1 : 5,
        Object.fromEntries([...contenders].map(([name, contender]) => [name, measure(name, contender)])),
      )
      const peer = rates.NGINX?.median as number
      for (const [name, rate] of Object.entries(rates)) {
        ratios.set(`${load.name} ${name}`, rate.median / peer)
        p99.set(`${load.name} ${name}`, median(latencies.get(name) as number[]))
        rows.push({
          what: `${load.name}, ${name}`,
          figures: {
            'requests/CPU-s': shown(rate.median),
            band: `${shown(rate.low)} – ${shown(rate.high)}`,
            '× NGINX': (rate.median / peer).toFixed(2),
            'p99 ms': (p99.get(`${load.name} ${name}`) as number).toFixed(2),
          },
        })
      }
    }
    const ratio = (name: string) => ratios.get(name) as number
    return {
      rows,
      verdicts: [
        atLeast('GET with uWebSockets.js', 1, ratio('GET uWebSockets.js'), '× NGINX'),
        atLeast('POST with body, uWebSockets.js', 2, ratio('POST with body uWebSockets.js'), '× NGINX'),
        atLeast('GET with node:http', 0.25, ratio('GET node:http'), '× NGINX'),
        atMost(
          'p99 of GET, uWebSockets.js',
          p99.get('GET NGINX') as number,
          p99.get('GET uWebSockets.js') as number,
          'ms',
        ),
      ],
    }
  } finally {
    for (const contender of contenders.values()) await contender.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

function skipped(reason: string): Measured {
  return { skipped: reason, rows: [], verdicts: [] }
}

/** Every answered request must stand in the log; wrk leaves up to one a connection unread at its end. */
async function checkLog(name: string, log: string, from: number, load: BeaconLoad, requests: number): Promise<void> {
  const file = await open(log)
  let lines = 0
  let first = ''
  try {
    const buffer = Buffer.allocUnsafe(1 << 20)
    for (let at = from; ; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) break
      if (at === from) first = buffer.toString('latin1', 0, buffer.indexOf('\n'))
      at += bytesRead
      for (let i = buffer.indexOf('\n'); i >= 0 && i < bytesRead; i = buffer.indexOf('\n', i + 1)) lines++
    }
  } finally {
    await file.close()
  }
  const record = parseLogLine(first)
  const events = 'rejected' in record ? record : eventsOf(record, { source: 'bench', position: 0, ingestSiteId: 1 })
  if ('rejected' in events) throw new Error(`${name}, ${load.name}: ${events.rejected}: ${first}`)
  const aRequest = name === 'NGINX' ? 1 : load.lines
  const unread = lines / aRequest - requests
  if (unread < 0 || unread > CONNECTIONS)
    throw new Error(`${name}, ${load.name}: ${requests} answers must have left as many lines. Found: ${lines}.`)
}
