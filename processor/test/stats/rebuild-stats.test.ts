import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Counters, encodeOutcome, type Outcome } from '@headwater/core'
import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CommittedPositions } from '../../src/committed-positions.ts'
import type { LogEntry, StatsStore } from '../../src/ports.ts'
import { type RebuildProgress, rebuildStats } from '../../src/rebuild-stats.ts'
import { localFileStore } from '../../src/stores/local-file-store.ts'
import { stateFileStatsStore } from '../../src/stores/state-file-stats-store.ts'
import { HOUR, readInto, testSink } from '../archive/archive-harness.ts'

const silent = pino({ level: 'silent' })
let base: string
let made = 0
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'headwater-rebuild-stats-'))
})
afterAll(() => rm(base, { recursive: true, force: true }))

function entry(offset: number, outcome: Partial<Outcome>, arrivedAt = HOUR + offset): LogEntry {
  const whole: Outcome = {
    eventId: `e-${offset}`,
    scenarioId: 5,
    scenarioVersion: 1,
    judgingVersion: 1,
    success: 1,
    date: arrivedAt,
    receivedAt: arrivedAt,
    fields: ['e_n', 'x'],
    ...outcome,
  }
  const order = { generation: 0, position: offset * 10, index: 0, scenarioId: whole.scenarioId }
  return { offset, order, arrivedAt, value: Buffer.from(encodeOutcome(whole)) }
}

/** An archive of the entries, in files of `rows` rows. */
async function archiveOf(entries: readonly LogEntry[], rows: number): Promise<string> {
  const root = join(base, String(made++))
  await readInto(await testSink({ root, roll: { rows } }), entries)
  return root
}

interface Rebuilding {
  store?: StatsStore
  log?: { oldest: number; end: number; to: number | undefined }
  onProgress?: (progress: RebuildProgress) => void
}
function rebuildIn(root: string, options: Rebuilding = {}) {
  const log = options.log ?? { oldest: 0, end: 1_000, to: 10_000 }
  return rebuildStats({
    archiveDir: join(root, 'archive'),
    files: localFileStore(join(root, 'archive')),
    outcomes: log,
    judged: log.to ?? 0,
    store: options.store ?? stateFileStatsStore({ file: join(root, 'stats.json') }),
    commit: async position => {
      const committed = new CommittedPositions({ dir: join(root, 'positions'), group: 'stats', log: silent })
      await committed.load()
      committed.note(0, position)
      await committed.flush()
    },
    ...(options.onProgress && { onProgress: options.onProgress }),
  })
}

async function parquetFiles(root: string): Promise<string[]> {
  const names = await readdir(join(root, 'archive'), { recursive: true })
  return names.filter(name => name.endsWith('.parquet')).sort()
}

describe('rebuilt counters', () => {
  it('are those that were counted live, buckets of time too, however the archive was cut into files', async () => {
    const outcome = fc.record({
      scenarioId: fc.integer({ min: 1, max: 3 }),
      judgingVersion: fc.integer({ min: 1, max: 2 }),
      success: fc.constantFrom(0 as const, 1 as const),
      // Late by up to two days, or ahead by up to five minutes.
      lag: fc.integer({ min: -300_000, max: 2 * 86_400_000 }),
      // Over a few hours, so that there are several folders.
      step: fc.integer({ min: 0, max: 600_000 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(outcome, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        async (outcomes, rows) => {
          const live = new Counters()
          let arrivedAt = HOUR
          const entries = outcomes.map(({ lag, step, ...rest }, offset) => {
            arrivedAt += step
            const counted = { ...rest, date: arrivedAt - lag }
            live.add(counted, arrivedAt)
            return entry(offset, counted, arrivedAt)
          })
          const root = await archiveOf(entries, rows)
          const rebuilt = await rebuildIn(root)
          expect(rebuilt.rows).toBe(entries.length)
          expect(rebuilt.at).toEqual({ position: entries.length, order: entries.at(-1)?.order })
          expect(rebuilt.counters.read()).toEqual(live.read())
          for (const scenarioId of [1, 2, 3])
            for (const resolution of ['5s', '1m', '1h'] as const)
              expect(rebuilt.counters.series({ scenarioId, resolution })).toEqual(
                live.series({ scenarioId, resolution }),
              )
        },
      ),
      { numRuns: 8 },
    )
  }, 60_000)

  it('count a time that leads its arrival by far within the hour of the arrival, never in the next century', async () => {
    const root = await archiveOf([entry(0, { date: HOUR + 100 * 365 * 86_400_000 })], 10)
    const [row] = (await rebuildIn(root)).counters.read()
    expect(row?.last_event_at).toBe('2025-06-18T03:59:59.999Z')
    expect(row?.total_count).toBe(1)
  })

  it('are stored with the end of the archive in place of what was there, and the commit goes back with them', async () => {
    const root = await archiveOf(
      [0, 1, 2].map(offset => entry(offset, {})),
      2,
    )
    const store = stateFileStatsStore({ file: join(root, 'stats.json') })
    await store.apply(0, undefined, { position: 77, order: undefined }, new Counters())
    const committed = () => new CommittedPositions({ dir: join(root, 'positions'), group: 'stats', log: silent })
    const before = committed()
    before.note(0, 77)
    await before.flush()

    const seen: RebuildProgress[] = []
    await rebuildIn(root, { store, onProgress: progress => seen.push(progress) })
    expect((await store.load(0))?.at.position).toBe(3)
    expect((await store.load(0))?.counters.read()[0]?.total_count).toBe(3)
    const after = committed()
    await after.load()
    expect(after.get(0)).toBe(3)
    expect(seen.at(-1)).toMatchObject({ rows: 3, doneBytes: seen.at(-1)?.totalBytes })
  })

  it('without an archive begin with the log', async () => {
    const root = join(base, String(made++))
    const rebuilt = await rebuildIn(root, { log: { oldest: 4, end: 9, to: 50 } })
    expect(rebuilt).toMatchObject({ rows: 0, at: { position: 4, order: undefined }, toBeCounted: 5, lost: 0 })
  })

  it('say what lies between the archive and the log, and that a log is shorter than what was archived of it', async () => {
    const root = await archiveOf(
      [0, 1, 2].map(offset => entry(offset, {})),
      10,
    )
    expect(await rebuildIn(root, { log: { oldest: 0, end: 8, to: 100 } })).toMatchObject({
      toBeCounted: 5,
      lost: 0,
      logIsBehind: false,
    })
    expect(await rebuildIn(root, { log: { oldest: 6, end: 8, to: 100 } })).toMatchObject({ toBeCounted: 2, lost: 3 })
    expect(await rebuildIn(root, { log: { oldest: 0, end: 0, to: undefined } })).toMatchObject({
      toBeCounted: 0,
      logIsBehind: true,
    })
  })

  it('are not stored when a file cannot be read, and the file is named', async () => {
    const root = await archiveOf(
      [0, 1, 2, 3].map(offset => entry(offset, {})),
      2,
    )
    const [first = ''] = await parquetFiles(root)
    await writeFile(join(root, 'archive', first), 'PAR1 and no more')
    await expect(rebuildIn(root)).rejects.toMatchObject({
      code: 'ARCHIVE_DAMAGED',
      message: expect.stringContaining(first.slice(first.lastIndexOf('/') + 1)),
    })
    expect(await stateFileStatsStore({ file: join(root, 'stats.json') }).load(0)).toBeUndefined()
  })

  it('take no file that is not of this log: uploads under way, other partitions, strangers', async () => {
    const root = await archiveOf([entry(0, {})], 10)
    const [only = ''] = await parquetFiles(root)
    const folder = join(root, 'archive', only.slice(0, only.lastIndexOf('/')))
    await writeFile(join(folder, 'scenario-log+1+0000000000000000.parquet'), 'another partition')
    await writeFile(join(folder, 'notes.parquet'), 'a stranger')
    expect((await rebuildIn(root)).rows).toBe(1)
  })
})
