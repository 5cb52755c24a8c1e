import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ProcessorError } from '../../src/errors.ts'
import { readFooter } from '../../src/parquet/read-footer.ts'
import type { FileStore, LogEntry } from '../../src/ports.ts'
import { localFileStore } from '../../src/stores/local-file-store.ts'
import {
  archivedFiles,
  archivedIds,
  archivedIdsByDuckDb,
  batchOf,
  HOUR,
  outcomeEntry,
  outcomeLog,
  readInto,
  testSink,
} from './archive-harness.ts'

let base: string
let made = 0
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'headwater-archive-'))
})
afterAll(() => rm(base, { recursive: true, force: true }))

const newRoot = (): string => join(base, String(made++))
const ids = (log: readonly LogEntry[]): string[] => log.map(({ value }) => JSON.parse(value.toString()).event_id)
const HOUR_FOLDER = 'scenario_log/day=2025-06-18/hour=03'

describe('the archive sink', () => {
  it('writes one file of all rows when the run ends, under the hour of arrival of its first record', async () => {
    const root = newRoot()
    const log = outcomeLog(50)
    await readInto(await testSink({ root }), log)
    expect(await archivedIds(root)).toEqual(ids(log))
    expect(await archivedFiles(root)).toEqual([`${HOUR_FOLDER}/scenario-log+0+0000000000000000.parquet`])
  })

  it('says in the footer what range of the log a file holds', async () => {
    const root = newRoot()
    await readInto(await testSink({ root }), outcomeLog(50))
    const files = localFileStore(join(root, 'archive'))
    const footer = await readFooter(files, `${HOUR_FOLDER}/scenario-log+0+0000000000000000.parquet`)
    expect(footer?.metadata).toMatchObject({
      'headwater.table': 'scenario_log',
      'headwater.log': 'scenario-log',
      'headwater.partition': '0',
      'headwater.start': '0',
      'headwater.end': '50',
      'headwater.order': '[0,490,0,2]',
      'headwater.rows': '50',
      'headwater.schema_version': '1',
      'headwater.scenario_versions': '["1:1","2:1","3:1"]',
    })
    expect(footer?.file.row_groups[0]?.sorting_columns).toEqual([
      { column_idx: 1, descending: false, nulls_first: true },
    ])
  })

  it('leaves neither temporary files nor local ones', async () => {
    const root = newRoot()
    await readInto(await testSink({ root, roll: { rows: 10 } }), outcomeLog(50))
    expect(await localFileStore(join(root, 'archive')).list('_tmp')).toEqual([])
    expect(await readdir(join(root, 'tmp'))).toEqual([])
  })

  it('cuts by rows, and each file begins where the one before ended', async () => {
    const root = newRoot()
    const log = outcomeLog(25)
    await readInto(await testSink({ root, roll: { rows: 10 } }), log)
    expect(await archivedFiles(root)).toEqual(
      ['00', '10', '20'].map(start => `${HOUR_FOLDER}/scenario-log+0+00000000000000${start}.parquet`),
    )
    expect(await archivedIds(root)).toEqual(ids(log))
  })

  it('cuts by the memory that the rows need', async () => {
    const root = newRoot()
    const log = Array.from({ length: 1000 }, (_, i) => outcomeEntry(i, i, { name: `${i}`.repeat(200) }))
    await readInto(await testSink({ root, roll: { bytes: 200_000 } }), log, { batches: [1000] })
    expect((await archivedFiles(root)).length).toBeGreaterThan(1)
    expect(await archivedIds(root)).toEqual(ids(log))
  })

  it('cuts where the hour of arrival changes, and not where it runs back', async () => {
    const root = newRoot()
    const hours = [0, 0, 1, 0, 1, 2]
    const log = hours.map((hour, i) => outcomeEntry(i, i, { arrivedAt: HOUR + hour * 3_600_000 }))
    await readInto(await testSink({ root }), log)
    expect(await archivedFiles(root)).toEqual([
      'scenario_log/day=2025-06-18/hour=03/scenario-log+0+0000000000000000.parquet',
      'scenario_log/day=2025-06-18/hour=04/scenario-log+0+0000000000000002.parquet',
      'scenario_log/day=2025-06-18/hour=05/scenario-log+0+0000000000000005.parquet',
    ])
    expect(await archivedIds(root)).toEqual(ids(log))
  })

  it('cuts by age and when nothing comes, in a tick', async () => {
    const root = newRoot()
    let now = 0
    const committed: number[] = []
    const sink = await testSink({
      root,
      clock: () => now,
      roll: { everyMs: 1_000, idleMs: 300 },
      committed: position => committed.push(position),
    })
    const log = outcomeLog(30)
    await sink.assigned({ partition: 0, committed: undefined, oldest: 0, end: 30 })
    await sink.take(batchOf(log, 0, 10))
    now = 299
    expect(await sink.tick(0)).toBeUndefined()
    expect(await archivedFiles(root)).toHaveLength(0)
    now = 300
    await sink.tick(0)
    expect(await archivedFiles(root)).toHaveLength(1)
    expect(committed).toEqual([10])

    for (now = 400; now < 1_400; now += 200)
      await sink.take(batchOf(log, 10 + (now - 400) / 200, 11 + (now - 400) / 200))
    expect(await archivedFiles(root)).toHaveLength(1)
    await sink.take(batchOf(log, 15, 16))
    expect(await archivedFiles(root)).toHaveLength(2)
    expect(committed).toEqual([10, 16])
    expect(sink.heldRows()).toBe(0)
    expect(sink.lastFile()).toMatchObject({ rows: 6 })
  })

  it('skips records whose order key is not greater than the last accepted one, also over a restart', async () => {
    const root = newRoot()
    const numbers = [0, 1, 2, 1, 2, 3, 3, 0, 4, 5, 4, 5, 6]
    const log = numbers.map((n, i) => outcomeEntry(i, n))
    await readInto(await testSink({ root, roll: { rows: 3 } }), log, { batches: [2], until: 7 })
    await readInto(await testSink({ root, roll: { rows: 3 } }), log, { batches: [2] })
    expect(await archivedIds(root)).toEqual(['e-0', 'e-1', 'e-2', 'e-3', 'e-4', 'e-5', 'e-6'])
  })

  it('commits what it skipped, though no file comes of it', async () => {
    const root = newRoot()
    const committed: number[] = []
    const log = [0, 1, 0, 1, 0].map((n, i) => outcomeEntry(i, n))
    await readInto(await testSink({ root, roll: { rows: 2 }, committed: position => committed.push(position) }), log, {
      batches: [1],
    })
    expect(committed.at(-1)).toBe(5)
  })

  it('counts a record that cannot be read and goes on', async () => {
    const root = newRoot()
    const log = outcomeLog(5)
    log[0] = { ...(log[0] as LogEntry), value: Buffer.from('garbage') }
    log[3] = { ...(log[3] as LogEntry), value: Buffer.from('{"success":2}') }
    await readInto(await testSink({ root }), log)
    expect(await archivedIds(root)).toEqual(['e-1', 'e-2', 'e-4'])
    expect(await archivedFiles(root)).toEqual([`${HOUR_FOLDER}/scenario-log+0+0000000000000001.parquet`])
  })

  it('goes on behind its newest file when the commit was lost, and when it is behind', async () => {
    const root = newRoot()
    const log = outcomeLog(40)
    await readInto(await testSink({ root, roll: { rows: 10 } }), log, { until: 30 })
    const sink = await testSink({ root })
    expect(await sink.assigned({ partition: 0, committed: undefined, oldest: 0, end: 40 })).toBe(30)
    let until = 30
    for (const committed of [0, 15, until]) {
      until += 3
      await readInto(await testSink({ root }), log, { committed, until })
      expect(await archivedIds(root)).toEqual(ids(log.slice(0, until)))
    }
  })

  it('goes on from the commit when older files were moved away', async () => {
    const root = newRoot()
    const log = outcomeLog(40)
    await readInto(await testSink({ root, roll: { rows: 10 } }), log, { until: 30 })
    await rm(join(root, 'archive'), { recursive: true })
    await readInto(await testSink({ root }), log, { committed: 30 })
    expect(await archivedIds(root)).toEqual(ids(log.slice(30)))
  })

  it('leaves it to the reader to pass over what retention deleted before it was archived', async () => {
    const root = newRoot()
    const sink = await testSink({ root })
    expect(await sink.assigned({ partition: 0, committed: 3, oldest: 8, end: 40 })).toBe(3)
  })

  it('begins at the oldest record when all before it is archived, whatever the commit says', async () => {
    const root = newRoot()
    await readInto(await testSink({ root }), outcomeLog(30))
    expect(await (await testSink({ root })).assigned({ partition: 0, committed: 3, oldest: 20, end: 40 })).toBe(20)
  })

  it('reads a log again that lost its end, and archives no record twice', async () => {
    const root = newRoot()
    await readInto(await testSink({ root }), outcomeLog(30))
    // The last five records are gone; they and new ones are written anew at other offsets.
    const shorter = [...outcomeLog(24), ...[25, 26, 27, 28, 29, 30, 31].map((n, i) => outcomeEntry(24 + i, n))]
    let committed = 30
    const commit = (position: number): void => {
      committed = position
    }
    await readInto(await testSink({ root, committed: commit }), shorter.slice(0, 25), { committed })
    expect(committed).toBe(25)
    await readInto(await testSink({ root }), shorter, { committed })
    expect(new Set(await archivedIds(root))).toEqual(new Set(Array.from({ length: 32 }, (_, n) => `e-${n}`)))
    expect(await archivedIds(root)).toHaveLength(32)
  })

  it('drops the rows it holds when the partition is assigned again, and reads them again', async () => {
    const root = newRoot()
    const log = outcomeLog(20)
    const sink = await testSink({ root })
    await readInto(sink, log, { until: 15, revoke: false })
    await readInto(sink, log)
    expect(await archivedIds(root)).toEqual(ids(log))
  })

  it('removes its own temporary files after a day, and nobody else’s', async () => {
    const root = newRoot()
    const files = localFileStore(join(root, 'archive'))
    const old = new Date(Date.now() - 25 * 3_600_000)
    const names = ['scenario-log+0+0000000000000007.parquet.x', 'scenario-log+1+0000000000000007.parquet.x', 'other']
    for (const name of names) {
      await files.write(`_tmp/scenario_log/${name}`, Buffer.from('x'))
      await utimes(join(root, 'archive/_tmp/scenario_log', name), old, old)
    }
    await files.write('_tmp/scenario_log/scenario-log+0+0000000000000009.parquet.y', Buffer.from('x'))
    await (await testSink({ root })).assigned({ partition: 0, committed: undefined, oldest: 0, end: 0 })
    expect((await files.list('_tmp')).map(({ path }) => path.split('/').at(-1))).toEqual([
      'other',
      'scenario-log+0+0000000000000009.parquet.y',
      'scenario-log+1+0000000000000007.parquet.x',
    ])
  })

  it('stops with a clear sentence when another life of the log has the name', async () => {
    const root = newRoot()
    await readInto(await testSink({ root }), outcomeLog(3))
    await rm(join(root, 'archive/_position'), { recursive: true })
    const sink = await testSink({ root })
    const anew = outcomeLog(9).map((entry, i) => ({ ...entry, order: { ...entry.order, position: 1000 + i } }))
    await sink.assigned({ partition: 0, committed: undefined, oldest: 0, end: 2 })
    await expect(sink.take(batchOf(anew, 0, 3))).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' })
  })

  it('lets the event loop turn while it takes and encodes a large file', async () => {
    const root = newRoot()
    const log = outcomeLog(20_000)
    let turns = 0
    let running = true
    const turn = (): void => {
      turns++
      if (running) setImmediate(turn)
    }
    turn()
    await readInto(await testSink({ root }), log, { batches: [20_000] })
    running = false
    expect(turns).toBeGreaterThan(20)
    expect(await archivedIds(root)).toHaveLength(20_000)
  })
})

/** Where a store's call fails: never done, done though it failed, or the process is dead from here on. */
type Fault = 'before' | 'after' | 'dead before' | 'dead after'
const CALLS = ['put', 'publish', 'stat', 'read', 'write', 'remove', 'list'] as const

/** A store whose `at`-th call of `call` fails in the way of `fault`. */
function faulty(
  files: FileStore,
  call: (typeof CALLS)[number],
  at: number,
  fault: Fault,
): FileStore & { dead: boolean } {
  let count = 0
  const store = { dead: false } as FileStore & { dead: boolean }
  const failure = (): ProcessorError => new ProcessorError('STORE_UNAVAILABLE', `${call} failed`, { retryable: true })
  for (const name of CALLS) {
    const real = files[name] as (...args: unknown[]) => Promise<unknown>
    const wrapped = async (...args: unknown[]): Promise<unknown> => {
      if (store.dead) throw failure()
      if (name !== call || count++ !== at) return real(...args)
      if (fault === 'dead before') store.dead = true
      if (fault.endsWith('before')) throw failure()
      await real(...args)
      if (fault === 'dead after') store.dead = true
      throw failure()
    }
    ;(store as unknown as Record<string, unknown>)[name] = wrapped
  }
  return store
}

/** Reads as a reader does that makes a call again after a retryable rejection; gives up when the store is dead. */
async function insist(
  root: string,
  log: readonly LogEntry[],
  files: FileStore & { dead: boolean },
  batches: readonly number[],
  rows: number,
): Promise<void> {
  const sink = await testSink({ root, files, roll: { rows } })
  const again = async <T>(call: () => Promise<T>): Promise<T> => {
    for (let i = 0; i < 20; i++) {
      try {
        return await call()
      } catch (error) {
        if (files.dead || !(error instanceof ProcessorError && error.retryable)) throw error
      }
    }
    throw new Error('Twenty attempts failed.')
  }
  try {
    let position = await again(() => sink.assigned({ partition: 0, committed: undefined, oldest: 0, end: log.length }))
    for (let i = 0; position < log.length; i++) {
      const from = position
      const to = Math.min(log.length, from + (batches[i % batches.length] as number))
      position = await again(() => sink.take(batchOf(log, from, to)))
    }
    await again(() => sink.revoked(0))
  } catch (error) {
    if (!files.dead) throw error
  }
}

describe('the archive sink when a store fails or the process dies', () => {
  for (const call of ['put', 'publish', 'stat', 'read', 'write', 'remove'] as const) {
    for (const fault of ['before', 'after', 'dead before', 'dead after'] as const) {
      it(`archives each record once when ${call} fails (${fault})`, async () => {
        const log = outcomeLog(12)
        for (let at = 0; at < 5; at++) {
          const root = newRoot()
          const files = localFileStore(join(root, 'archive'))
          await insist(root, log, faulty(files, call, at, fault), [3], 5)
          await insist(root, log, Object.assign({ dead: false }, files), [4], 4)
          expect((await archivedIds(root)).sort()).toEqual(ids(log).sort())
        }
      })
    }
  }

  it('archives each record once when it dies between any two steps', async () => {
    const log = outcomeLog(10)
    for (let steps = 0; ; steps++) {
      const root = newRoot()
      const files = localFileStore(join(root, 'archive'))
      let left = steps
      const dying = Object.assign({ dead: false }, files)
      for (const name of CALLS) {
        const real = files[name] as (...args: unknown[]) => Promise<unknown>
        ;(dying as unknown as Record<string, unknown>)[name] = async (...args: unknown[]) => {
          if (left-- <= 0) dying.dead = true
          if (dying.dead) throw new ProcessorError('STORE_UNAVAILABLE', 'dead', { retryable: true })
          return real(...args)
        }
      }
      await insist(root, log, dying, [3], 4)
      const alive = !dying.dead
      await insist(root, log, Object.assign({ dead: false }, files), [10], 100)
      expect((await archivedIds(root)).sort()).toEqual(ids(log).sort())
      if (alive) break
      expect(steps).toBeLessThan(500)
    }
  }, 60_000)

  it('drops its rows when another owner with other cuts was quicker, and goes on behind it', async () => {
    const root = newRoot()
    const log = outcomeLog(30)
    const zombie = await testSink({ root })
    await readInto(zombie, log, { until: 13, revoke: false })
    await readInto(await testSink({ root, roll: { rows: 10 } }), log, { until: 22 })
    // The zombie wakes up and still believes that the partition is its own.
    let position = await zombie.take(batchOf(log, 13, 20))
    expect(position).toBe(20)
    await zombie.revoked(0)
    expect(await archivedIds(root)).toEqual(ids(log.slice(0, 22)))

    const other = await testSink({ root, roll: { rows: 5 } })
    const both = [other, await testSink({ root, roll: { rows: 4 } })]
    for (const sink of both) await sink.assigned({ partition: 0, committed: undefined, oldest: 0, end: 30 })
    await Promise.all(
      both.map(async (sink, i) => {
        for (position = 22; position < 30; )
          position = await sink.take(batchOf(log, position, Math.min(30, position + 3 + i)))
        await sink.revoked(0)
      }),
    )
    await readInto(await testSink({ root }), log)
    expect(await archivedIds(root)).toEqual(ids(log))
  })

  it('holds in the end exactly what was put in, for any repeats, cuts, zombies and deaths', async () => {
    const life = fc.record({
      rows: fc.integer({ min: 1, max: 12 }),
      batches: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
      call: fc.constantFrom(...CALLS),
      at: fc.nat(12),
      fault: fc.constantFrom<Fault>('before', 'after', 'dead before', 'dead after'),
    })
    // Repeats as a producer makes them: now and then some of the last records again. New ones are never left out.
    const logs = fc
      .array(fc.record({ back: fc.nat(4), hour: fc.nat(1) }), { minLength: 1, maxLength: 40 })
      .map(list => {
        const log: LogEntry[] = []
        let next = 0
        let hour = 0
        for (const { back, hour: more } of list) {
          hour += more && log.length % 8 === 7 ? 1 : 0
          const from = back === 4 ? Math.max(0, next - 3) : next
          for (let n = from; n <= next; n++) {
            log.push(outcomeEntry(log.length, n, { arrivedAt: HOUR + hour * 3_600_000 }))
          }
          next++
        }
        return { log, count: next }
      })
    await fc.assert(
      fc.asyncProperty(logs, fc.array(life, { maxLength: 4 }), async ({ log, count }, lives) => {
        const root = newRoot()
        const files = localFileStore(join(root, 'archive'))
        const zombie = await testSink({ root, roll: { rows: 5 } })
        await readInto(zombie, log, { until: Math.floor(log.length / 2), revoke: false })
        for (const { rows, batches, call, at, fault } of lives) {
          await insist(root, log, faulty(files, call, at, fault), batches, rows)
        }
        await zombie.revoked(0)
        await readInto(await testSink({ root }), log)
        expect((await archivedIdsByDuckDb(root)).sort()).toEqual(
          Array.from({ length: count }, (_, n) => `e-${n}`).sort(),
        )
      }),
      { numRuns: 40 },
    )
  }, 120_000)
})
