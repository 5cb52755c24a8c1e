import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { findHdfs, HDFS_MISSING, serviceOrSkip } from '@headwater/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isRetryable } from '../../src/drive-consumer.ts'
import type { FileStore, LogEntry } from '../../src/ports.ts'
import type { ArchiveSink } from '../../src/sinks/archive-sink.ts'
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
import { type HdfsUnderTest, hdfsUnderTest } from './hdfs-under-test.ts'

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
    expect(tables[1]).toMatchObject({ files: 3, rows: 60, end: 60, faults: [], strangers: [] })
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
    const insist = async <T>(call: () => Promise<T>): Promise<T> => {
      for (;;) {
        try {
          return await call()
        } catch (error) {
          if (!isRetryable(error)) throw error
          faults++
          await pause(200)
        }
      }
    }
    const drive = async (of: ArchiveSink): Promise<void> => {
      let position = await insist(() => of.assigned({ partition: 0, committed: undefined, oldest: 0, end: log.length }))
      while (position < log.length) {
        const from = position
        position = await insist(() => of.take(batchOf(log, from, Math.min(log.length, from + 4))))
      }
      await insist(() => of.revoked(0))
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

    it('refuses a file that is no Parquet file, and leaves nothing of it', async () => {
      const { root, files, copy } = await newArchive()
      const local = join(root, 'text')
      writeFileSync(local, 'no Parquet file, though it is long enough')
      await files.put(local, '_tmp/t/x')
      await files.publish('_tmp/t/x', 'scenario_log/day=2025-06-18/hour=03/scenario-log+0+0000000000000000.parquet')
      await expect(copy()).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' })
      expect(await archivedIds(root)).toEqual([])
    }, 60_000)
  })
})
