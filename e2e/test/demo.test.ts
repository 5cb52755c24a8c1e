import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { filterResults, sumOf } from '../src/filter-results.ts'
import { type HeadwaterProcess, runHeadwater, startHeadwater } from '../src/headwater-process.ts'
import { until } from '../src/until.ts'

let dir: string
let server: HeadwaterProcess
const SETTINGS = { HEADWATER_LOG_LEVEL: 'warn' } as const
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'headwater-demo-'))
  server = await startHeadwater(join(dir, 'data'), SETTINGS)
})
afterAll(async () => {
  await server.kill()
  await rm(dir, { recursive: true, force: true })
})
const demo = (...args: string[]) => runHeadwater(join(dir, 'data'), SETTINGS, ['demo', ...args])
const judged = (events: number) =>
  until('the events to be judged', async () => {
    const results = await filterResults(server.ports.metrics)
    return sumOf(results) >= events ? results : undefined
  })

describe('headwater demo', { timeout: 90_000 }, () => {
  it('finds the running gateway and sends as many events as rate and duration say; the same seed again is all repeats', async () => {
    const said = await demo('--rate', '100', '--duration', '2s', '--seed', '3')
    expect(said).toMatch(
      /^200 events of \d+ sessions of \d+ visitors acknowledged, 0 attempts repeated, 0 events failed/m,
    )
    const first = await judged(200)
    expect((first.judged ?? 0) + (first.duplicate ?? 0)).toBe(200)
    expect(first.unknown_scenario).toBeUndefined()

    await demo('--rate', '100', '--duration', '2s', '--seed', '3', '--url', `http://127.0.0.1:${server.ports.gateway}/`)
    expect(await judged(400)).toEqual({ judged: first.judged, duplicate: 200 + (first.duplicate ?? 0) })
  })

  it('says that no gateway answers, once, and ends with status 1', async () => {
    const away = demo('--rate', '50', '--duration', '1s', '--url', 'http://127.0.0.1:1')
    await expect(away).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^! The last failure was: connect ECONNREFUSED 127\.0\.0\.1:1\. .*\n$/),
    })
  })

  it('writes the same log for the same seed, and never over a file that is there', async () => {
    const [a, b] = [join(dir, 'a.log'), join(dir, 'b.log')]
    const how = ['--lines', '500', '--seed', '9', '--start', '2026-03-06T00:00:00Z', '--span', '6h', '--out']
    await demo(...how, a)
    await demo(...how, b)
    const text = await readFile(a, 'latin1')
    expect(text.trimEnd().split('\n')).toHaveLength(500)
    expect(await readFile(b, 'latin1')).toBe(text)
    expect(await demo(...how, '-')).toBe(text)
    await expect(demo(...how, a)).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('new file') })
  })

  it('says what to do when nothing listens', async () => {
    await expect(runHeadwater(join(dir, 'other'), SETTINGS, ['demo'])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no server works in .*headwater start/),
    })
    await expect(demo('--url', 'http://127.0.0.1:9', '--rate', '1', '--duration', '1s')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('gateway listens at http://127.0.0.1:9'),
    })
  })
})
