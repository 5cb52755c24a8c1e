import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findHdfs, HDFS_MISSING, serviceOrSkip } from '@headwater/testkit'
import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mirroredArchive } from '../../src/archive-copy.ts'
import { expireArchive } from '../../src/archive-retention.ts'
import { forget } from '../../src/forget/forget.ts'
import type { FileStore, LogEntry } from '../../src/ports.ts'
import type { ArchiveSink } from '../../src/sinks/archive-sink.ts'
import { localFileStore } from '../../src/stores/local-file-store.ts'
import { verifyArchive } from '../../src/verify-archive.ts'
import { type MirroredArchive, mirrorArchive } from '../../src/webhdfs/mirror-archive.ts'
import {
  archivedIds,
  archivedIdsByDuckDb,
  batchOf,
  HOUR,
  outcomeEntry,
  outcomeLog,
  readInto,
  testSink,
} from '../archive/archive-harness.ts'
import {
  ask,
  footers,
  testEvent,
  testSink as testForgetSink,
  visitorId,
  writeArchive,
} from '../forget/forget-archive.ts'
import { type HdfsUnderTest, hdfsUnderTest, insist } from './hdfs-under-test.ts'

const LIVES = 8

describe.skipIf(!serviceOrSkip('HDFS', findHdfs(), HDFS_MISSING))('an archive in HDFS', () => {
  let under: HdfsUnderTest
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'headwater-hdfs-archive-'))
    under = await hdfsUnderTest()
  }, 300_000)
  afterAll(async () => {
    await under?.hdfs.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  /** A store of its own, and a local folder: `archive` in it becomes the copy. */
  async function newArchive(): Promise<{ root: string; files: FileStore; copy(): Promise<MirroredArchive> }> {
    const root = mkdtempSync(join(folder, 'a-'))
    const files = await under.newStore()
    return { root, files, copy: () => mirrorArchive({ files, dir: join(root, 'archive') }) }
  }

  it('holds each record once, as DuckDB and hyparquet read a copy of it', async () => {
    const { root, files, copy } = await newArchive()
    const log = outcomeLog(60)
    await readInto(await testSink({ root, files, roll: { rows: 25 } }), log, { until: 40 })
    await readInto(await testSink({ root, files, roll: { rows: 25 } }), log)
    expect(await copy()).toMatchObject({ files: 3, fetched: 3 })
    expect(await archivedIds(root)).toEqual(log.map((_, n) => `e-${n}`))
    expect(await archivedIdsByDuckDb(root)).toEqual(log.map((_, n) => `e-${n}`))
    const tables = await verifyArchive({ archiveDir: join(root, 'archive'), files })
    expect(tables[1]).toMatchObject({ files: 3, rows: 60, ends: new Map([[0, 60]]), faults: [], strangers: [] })
    expect(await files.list('_tmp')).toEqual([])
    expect((await files.list('_position')).map(({ path }) => path)).toEqual([
      '_position/scenario_log+scenario-log+0.json',
    ])
  }, 60_000)

  it('holds in the end exactly what was put in, for any repeats, cuts, zombies and deaths', async () => {
    const life = fc.record({
      rows: fc.integer({ min: 1, max: 12 }),
      batch: fc.integer({ min: 1, max: 9 }),
      stopAt: fc.nat(30),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(4), { minLength: 1, maxLength: 30 }),
        fc.array(life, { minLength: 1, maxLength: 3 }),
        async (repeats, lives) => {
          const { root, files, copy } = await newArchive()
          const log: LogEntry[] = []
          for (const [next, back] of repeats.entries()) {
            const from = back === 4 ? Math.max(0, next - 3) : next
            for (let n = from; n <= next; n++) {
              log.push(outcomeEntry(log.length, n, { arrivedAt: HOUR + (next > 15 ? 3_600_000 : 0) }))
            }
          }
          const zombies = [
            await testSink({ root, files, roll: { rows: 5 } }),
            await testSink({ root, files, roll: { rows: 4 } }),
          ]
          for (const [i, zombie] of zombies.entries()) {
            await readInto(zombie, log, { until: Math.floor((log.length * (i + 1)) / 3), revoke: false })
          }
          for (const { rows, batch, stopAt } of lives) {
            const until = Math.min(log.length, stopAt)
            const sink = await testSink({ root, files, roll: { rows } })
            await readInto(sink, log, { batches: [batch], until, revoke: false })
          }
          // Both believe that the partition is their own, and finish what they hold at the same time as the owner.
          const owner = await testSink({ root, files, roll: { rows: 7 } })
          await Promise.all([readInto(owner, log), ...zombies.map(zombie => zombie.revoked(0))])
          await readInto(await testSink({ root, files }), log)
          await copy()
          expect(await archivedIdsByDuckDb(root)).toEqual(repeats.map((_, n) => `e-${n}`))
        },
      ),
      { numRuns: LIVES },
    )
  }, 180_000)

  it('loses nothing and repeats nothing when DataNode and NameNode are killed under it', async () => {
    const { root, files, copy } = await newArchive()
    const log = outcomeLog(400)
    const sink = await testSink({ root, files, roll: { rows: 10 } })
    let faults = 0
    const insistAndCount = <T>(call: () => Promise<T>): Promise<T> => insist(call, () => faults++)
    const drive = async (of: ArchiveSink): Promise<void> => {
      let position = await insistAndCount(() =>
        of.assigned({ partition: 0, committed: undefined, oldest: 0, end: log.length }),
      )
      while (position < log.length) {
        const from = position
        position = await insistAndCount(() => of.take(batchOf(log, from, Math.min(log.length, from + 4))))
      }
      await insistAndCount(() => of.revoked(0))
    }
    const driven = drive(sink)
    for (const which of ['dn', 'nn'] as const) {
      const before = sink.lastFile()?.path
      await expect.poll(() => sink.lastFile()?.path, { timeout: 60_000 }).not.toBe(before)
      await under.hdfs.kill(which)
      await under.hdfs.restart(which)
    }
    await driven
    expect(faults).toBeGreaterThan(0)
    await copy()
    expect(await archivedIds(root)).toEqual(log.map((_, n) => `e-${n}`))
    process.stderr.write(`archive: ${faults} calls failed and were made again\n`)
  }, 240_000)

  describe('mirrorArchive', () => {
    it('fetches what is new, what has changed and nothing else, and drops what is gone', async () => {
      const { root, files, copy } = await newArchive()
      const log = outcomeLog(40)
      await readInto(await testSink({ root, files, roll: { rows: 10 } }), log, { until: 20 })
      const progress: unknown[] = []
      const dir = join(root, 'archive')
      await mirrorArchive({ files, dir, onProgress: made => progress.push(made) })
      const [one, two] = await files.list('scenario_log')
      const bytes = (one?.bytes ?? 0) + (two?.bytes ?? 0)
      expect(progress.at(-1)).toEqual({ files: 2, bytes, totalFiles: 2, totalBytes: bytes })
      expect(await copy()).toEqual({ files: 2, fetched: 0, fetchedBytes: 0, removed: 0 })

      await readInto(await testSink({ root, files, roll: { rows: 10 } }), log)
      expect(await copy()).toMatchObject({ files: 4, fetched: 2, removed: 0 })

      await files.remove(one?.path ?? '')
      // The same name, another file, as `forget` would leave it.
      const other = await newArchive()
      await readInto(await testSink({ root: other.root, files: other.files, roll: { rows: 10 } }), log.slice(0, 5))
      await other.copy()
      const local = join(other.root, 'archive', (await other.files.list('scenario_log'))[0]?.path ?? '')
      const temporary = `_tmp/t/${randomUUID()}`
      await files.put(local, temporary)
      await files.remove(two?.path ?? '')
      await files.publish(temporary, two?.path ?? '')
      expect(await copy()).toMatchObject({ files: 3, fetched: 1, removed: 1 })
      expect(await archivedIds(root)).toEqual([
        ...[0, 1, 2, 3, 4].map(n => `e-${n}`),
        ...log.slice(20).map((_, n) => `e-${n + 20}`),
      ])
      expect(await readdir(join(dir, '_tmp', 'mirror'))).toEqual([])
    }, 60_000)

    it('copies the days that are asked for', async () => {
      const { root, files } = await newArchive()
      const log = [0, 1, 2].map(day => outcomeEntry(day, day, { arrivedAt: HOUR + day * 86_400_000 }))
      await readInto(await testSink({ root, files }), log)
      const dir = join(root, 'archive')
      expect(await mirrorArchive({ files, dir, from: '2025-06-19', to: '2025-06-19' })).toMatchObject({ files: 1 })
      expect(await archivedIds(root)).toEqual(['e-1'])
      expect(await mirrorArchive({ files, dir, from: '2025-06-20' })).toMatchObject({ fetched: 1, removed: 0 })
      expect(await archivedIds(root)).toEqual(['e-1', 'e-2'])
    }, 60_000)

    it('takes a file that is replaced while it is read whole, as the old one or as the new one', async () => {
      const { root, files } = await newArchive()
      await readInto(await testSink({ root, files }), outcomeLog(3))
      const other = await newArchive()
      await readInto(await testSink({ root: other.root, files: other.files }), outcomeLog(2))
      await other.copy()
      const [from] = await other.files.list('scenario_log')
      const [path] = await files.list('scenario_log')
      let replaced = false
      const meddling: FileStore = {
        ...files,
        async read(...args) {
          const bytes = await files.read(...args)
          if (replaced || !args[0].endsWith('.parquet')) return bytes
          replaced = true
          await files.put(join(other.root, 'archive', from?.path ?? ''), '_tmp/t/new')
          await files.replace([{ temporary: '_tmp/t/new', final: path?.path ?? '', version: path?.version ?? '' }])
          return bytes
        },
      }
      const dir = join(root, 'archive')
      expect(await mirrorArchive({ files: meddling, dir })).toMatchObject({ files: 1, fetched: 1 })
      expect(await archivedIds(root)).toEqual(['e-0', 'e-1'])
      expect(await mirrorArchive({ files, dir })).toMatchObject({ files: 1, fetched: 0 })
    }, 60_000)

    it('has a file that is no Parquet file as it is, and the low-water marks', async () => {
      const { root, files, copy } = await newArchive()
      await readInto(await testSink({ root, files }), outcomeLog(3))
      const local = join(root, 'text')
      writeFileSync(local, 'no Parquet file, though it is long enough')
      await files.put(local, '_tmp/t/x')
      const name = 'scenario_log/day=2025-06-18/hour=03/scenario-log+0+0000000000000003.parquet'
      await files.publish('_tmp/t/x', name)
      expect(await copy()).toMatchObject({ files: 2 })
      const archiveDir = join(root, 'archive')
      const tables = await verifyArchive({ archiveDir, files: localFileStore(archiveDir) })
      expect(tables[1]?.faults).toEqual([{ path: name, message: expect.stringContaining('PAR1') }])
      expect(await readdir(join(archiveDir, '_position'))).toEqual(['scenario_log+scenario-log+0.json'])
    }, 60_000)
  })

  describe('forget', () => {
    const visitors = 5
    const list = Array.from({ length: 60 }, (_, n) => testEvent(n, visitors))
    const rows = (root: string) =>
      ask(
        root,
        `SELECT (SELECT count(*) FROM event_log WHERE visitor_id <> '${visitorId(3)}'),
          (SELECT count(DISTINCT event_id) FROM event_log WHERE visitor_id <> '${visitorId(3)}'),
          (SELECT count(*) FROM event_log), (SELECT count(*) FROM scenario_log)`,
      )
    const optionsOf = (root: string, files: FileStore, visitor: number) => ({
      subject: { visitor: visitorId(visitor) },
      files,
      copy: mirroredArchive({ files, dir: join(root, 'archive') }),
      tempDir: join(root, 'tmp'),
      settle: async () => true,
    })

    it('removes a visitor from both tables and nobody else, beside another one who forgets', async () => {
      const { root, files, copy } = await newArchive()
      await writeArchive(root, list, 20, files)
      await copy()
      const before = await footers(root)
      expect((await forget({ ...optionsOf(root, files, 3), dryRun: true })).tables.map(({ found }) => found)).toEqual([
        12, 12,
      ])
      const elsewhere = mkdtempSync(join(folder, 'elsewhere-'))
      const [mine] = await Promise.all([
        forget(optionsOf(root, files, 3)),
        forget(optionsOf(elsewhere, files, 1)),
        // A sink goes on publishing.
        writeArchive(mkdtempSync(join(folder, 'sink-')), [...list, testEvent(60, visitors)], 20, files),
      ])
      expect(mine.tables.map(({ removed, left }) => [removed, left])).toEqual([
        [12, 0],
        [12, 0],
      ])
      await copy()
      expect(await rows(root)).toEqual(['[37,37,37,37]'])
      for (const [path, metadata] of await footers(root)) {
        const { 'headwater.forgotten': forgotten, 'headwater.rows': _, ...facts } = metadata
        const { 'headwater.rows': rowsBefore, ...factsBefore } = before.get(path) ?? {}
        if (rowsBefore === undefined) continue
        expect(facts).toEqual(factsBefore)
        expect(Number(forgotten)).toBe(8)
      }
      expect((await files.list('')).filter(({ path }) => !/^(event_log|scenario_log|_position)\//.test(path))).toEqual(
        [],
      )
    }, 120_000)

    it('does the rest when it is begun again after the NameNode was killed between upload and replacement', async () => {
      const { root, files, copy } = await newArchive()
      await writeArchive(root, list, 20, files)
      const unlucky: FileStore = {
        ...files,
        async replace(replacements) {
          await under.hdfs.kill('nn')
          return files.replace(replacements)
        },
      }
      await expect(forget(optionsOf(root, unlucky, 3))).rejects.toMatchObject({ retryable: true })
      await under.hdfs.restart('nn')
      await copy()
      expect(await rows(root)).toEqual(['[48,48,60,60]'])
      expect((await forget(optionsOf(root, files, 3))).tables.map(({ removed, left }) => [removed, left])).toEqual([
        [12, 0],
        [12, 0],
      ])
      expect(await rows(root)).toEqual(['[48,48,48,48]'])
    }, 120_000)
  })

  it('keeps no day longer than it shall: rows first, later files and folders, and the sink knows how far it was', async () => {
    const { root, files, copy } = await newArchive()
    const list = Array.from({ length: 30 }, (_, n) => testEvent(n, 5))
    await writeArchive(root, list, 15, files)
    const options = { files, tempDir: join(root, 'tmp'), keepDays: 2, log: pino({ level: 'silent' }) }
    const [one, two] = await Promise.all([expireArchive(options), expireArchive(options)])
    expect(one.rows + two.rows).toBe(60)
    await copy()
    expect(await ask(root, 'SELECT (SELECT count(*) FROM event_log), (SELECT count(*) FROM scenario_log)')).toEqual([
      '[0,0]',
    ])
    expect(await expireArchive(options, Date.now() + 3_700_000)).toEqual({ emptied: 0, rows: 0, removed: 4 })
    expect((await files.list('')).map(({ path }) => path)).toEqual([
      '_position/event_log+event-log+0.json',
      '_position/scenario_log+scenario-log+0.json',
    ])
    expect(await files.folders('event_log')).toEqual([])
    const sink = await testForgetSink(root, 'event_log', 20, files)
    expect(await sink.assigned({ partition: 0, committed: undefined, oldest: 0, end: 30 })).toBe(30)
  }, 120_000)
})
