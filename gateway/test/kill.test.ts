import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadUws } from '../src/load-uws.ts'
import { get, post, rawHttp } from './raw-http.ts'
import { logLines } from './started-gateway.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const script = fileURLToPath(new URL('fixtures/gateway-process.mjs', import.meta.url))

interface Running {
  port: number
  /** Resolves with the exit code, or null after a signal. */
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>
}

async function start(frontEnd: string, file: string, durability: string, maxBytes: number): Promise<Running> {
  const child = spawn(process.execPath, [script, frontEnd, file, durability, String(maxBytes)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>(resolve => child.once('exit', resolve))
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', data => resolve(Number(data)))
    child.once('exit', code => reject(new Error(`the gateway ended with ${code} before it listened`)))
  })
  return {
    port,
    kill: signal => {
      child.kill(signal)
      return ended
    },
  }
}

/** Clients that send numbered events, some as a bulk of three, until their server is gone. */
async function load(port: number, acknowledged: Set<string>, prefix: string, gone: () => boolean): Promise<void> {
  let sent = 0
  const client = async (): Promise<void> => {
    while (!gone()) {
      const id = `${prefix}${sent++}`
      const bulk = sent % 5 === 0
      const ids = bulk ? [`${id}a`, `${id}b`, `${id}c`] : [id]
      const bytes = bulk
        ? post('/5', JSON.stringify({ requests: ids.map(each => `?hw_id=${each}`) }))
        : get(`/5?hw_id=${id}&x=1`)
      try {
        const [answer] = await rawHttp(port, bytes)
        if (answer?.status === 204) for (const each of ids) acknowledged.add(each)
      } catch {
        // No answer: nothing was promised.
      }
    }
  }
  await Promise.all(Array.from({ length: 8 }, client))
}

const fronts = ['node', ...('uws' in loadUws() ? ['uws'] : [])]

describe.each(fronts)('a gateway on %s', frontEnd => {
  const folder = mkdtempSync(join(tmpdir(), 'headwater-kill-'))
  const file = join(folder, 'access.log')
  beforeAll(() => {
    // The process runs what was built: build it, so that it is these sources.
    execFileSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'gateway'], { cwd: root, stdio: 'inherit' })
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('killed with -9 under load, again and again, has every acknowledged event in its log, once', async () => {
    const acknowledged = new Set<string>()
    for (let round = 0; round < 3; round++) {
      // The log rotates under it, too.
      const running = await start(frontEnd, file, round === 2 ? 'fsync' : 'write', 20_000)
      let gone = false
      const clients = load(running.port, acknowledged, `r${round}n`, () => gone)
      const enough = acknowledged.size + 150
      const moment = enough + Math.floor(Math.random() * 200)
      while (acknowledged.size < moment) await new Promise(resolve => setTimeout(resolve, 1))
      await running.kill('SIGKILL')
      gone = true
      await clients
    }
    // The last line may be half: a start ends it.
    const last = await start(frontEnd, file, 'write', 0)
    await rawHttp(last.port, get('/5?hw_id=last'))
    expect(await last.kill('SIGTERM')).toBe(0)
    const seen = logLines(folder).flatMap(line => /hw_id=(\w+)/.exec(line)?.[1] ?? [])
    const lost = [...acknowledged].filter(id => !seen.includes(id))
    expect(lost).toEqual([])
    expect(seen.at(-1)).toBe('last')
    expect(seen.length).toBe(new Set(seen).size)
    expect(acknowledged.size).toBeGreaterThan(450)
  })
})
