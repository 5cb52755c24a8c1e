import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type HeadwaterProcess, runHeadwater, type Settings, startHeadwater } from './headwater-process.ts'
import { keepForALook } from './keep-for-a-look.ts'
import { metricsOf } from './metrics-of.ts'
import { isClean, judgeRound, type RoundResult } from './round-result.ts'
import { ROUND_MEMBERS, roundScenarios } from './scenarios.ts'
import { type SeededRandom, seededRandom } from './seeded-random.ts'
import { until } from './until.ts'
import { startVisitors } from './visitors.ts'

/**
 * One round: a server under load is killed (SIGKILL) `kills` times at random moments, with log rotation and scenario
 * edits (some invalid) going on, then ends well; afterwards the archive, the counters and the visitors' memory must agree.
 */
export async function killRound(seed: number, kills: number): Promise<RoundResult> {
  const random = seededRandom(seed)
  const dir = await mkdtemp(join(tmpdir(), 'headwater-kill-'))
  const settings: Settings = {
    HEADWATER_SCENARIOS_FILE: join(dir, 'scenarios.json'),
    HEADWATER_MEMBERS_FILE: join(dir, 'members.csv'),
    HEADWATER_LOG_ROTATE_BYTES: '65536',
    HEADWATER_ARCHIVE_ROLL_EVERY_MS: '300',
    HEADWATER_STATS_APPLY_EVERY_MS: '200',
    HEADWATER_LOG_LEVEL: 'warn',
  }
  const dataDir = join(dir, 'data')
  await writeFile(join(dir, 'members.csv'), ROUND_MEMBERS)
  const edits = scenarioEdits(random, join(dir, 'scenarios.json'))
  await edits.next()

  let server: HeadwaterProcess | undefined = await startHeadwater(dataDir, settings)
  const visitors = startVisitors({
    random,
    connections: 8,
    port: () => server?.ports.gateway,
  })
  for (let kill = 0; kill < kills; kill++) {
    await pause(random.between(50, 1200))
    await edits.next()
    if (random.next() < 0.5) await pause(random.between(0, 300))
    const victim = server
    server = undefined
    await victim.kill()
    server = await startHeadwater(dataDir, settings)
  }
  await pause(300)
  await visitors.stop()
  // A good end reads on for some seconds only; what a slow machine has left by then would be read at the next start.
  const last = server
  await until(
    'the log to be read to its end',
    async () => ((await unreadBytes(last)) === 0 ? true : undefined),
    120_000,
  )
  const code = await server.stop()
  if (code !== 0) throw new Error(`headwater start ended with ${code} after SIGTERM:\n${server.output()}`)

  const result = await judgeRound({
    seed,
    kills,
    visitors,
    scenarioEdits: edits.made(),
    query: async sql => JSON.parse(await runHeadwater(dataDir, settings, ['query', '--json', sql])),
    counters: JSON.parse(await runHeadwater(dataDir, settings, ['stats', '--json', '--all-versions'])),
  })
  if (isClean(result)) await rm(dir, { recursive: true })
  else await keepForALook(dir)
  return result
}

/** `headwater_tailer_lag_bytes`, twice the same a second apart: the gauge is renewed once a second. */
async function unreadBytes(server: HeadwaterProcess): Promise<number> {
  const lag = async () => (await metricsOf(server.ports.metrics)).get('headwater_tailer_lag_bytes') ?? Number.NaN
  const before = await lag()
  await pause(1100)
  return Math.max(before, await lag())
}

/** Writes the scenario file, then on each `next()` another version of it: in place or by rename, now and then invalid. */
function scenarioEdits(random: SeededRandom, file: string): { next(): Promise<void>; made(): number } {
  let made = 0
  return {
    made: () => made,
    async next() {
      const whole = JSON.stringify(roundScenarios(String(18 + (made % 5))), null, 2)
      const text = made > 0 && random.next() < 0.3 ? whole.slice(0, random.between(0, whole.length - 1)) : whole
      if (random.next() < 0.5) await writeFile(file, text)
      else {
        await writeFile(`${file}.new`, text)
        await rename(`${file}.new`, file)
      }
      made++
    },
  }
}
