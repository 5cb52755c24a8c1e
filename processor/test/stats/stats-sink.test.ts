import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Counters, encodeOutcome } from '@headwater/core'
import fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { ProcessorError } from '../../src/errors.ts'
import { createProcessorMetrics } from '../../src/metrics.ts'
import type { EntryBatch, LogEntry, StatsStore } from '../../src/ports.ts'
import { type StatsSink, type StatsSinkOptions, statsSink } from '../../src/sinks/stats-sink.ts'
import { stateFileStatsStore } from '../../src/stores/state-file-stats-store.ts'

const log = pino({ level: 'silent' })
const ARRIVED = Date.UTC(2026, 5, 18, 12)

const newFile = async (): Promise<string> => join(await mkdtemp(join(tmpdir(), 'hw-stats-')), 'stats.json')

/** The log's record of the `input`th event of the input, at `offset`. */
function entry(offset: number, input = offset): LogEntry {
  return {
    offset,
    order: { generation: 0, position: input * 300, index: 0, scenarioId: 5 },
    arrivedAt: ARRIVED,
    value: Buffer.from(
      encodeOutcome({
        eventId: `e${input}`,
        scenarioId: 5,
        scenarioVersion: 1,
        judgingVersion: 1,
        success: input % 3 === 0 ? 1 : 0,
        date: ARRIVED,
        receivedAt: ARRIVED,
        fields: [],
      }),
    ),
  }
}

function batch(entries: LogEntry[], from: number, to: number): EntryBatch {
  return { partition: 0, from, to, entries: entries.slice(from, to) }
}

function make(store: StatsStore, more: Partial<StatsSinkOptions> = {}) {
  const commits: number[] = []
  let now = 0
  const metrics = createProcessorMetrics(new Registry()).stats
  const sink = statsSink({
    reader: {
      commit: async (_partition, position) => {
        commits.push(position)
      },
    },
    store,
    applyEveryMs: 0,
    log,
    metrics,
    // Every look at the clock is an hour later: the next apply is always due.
    clock: () => (now += 3_600_000),
    ...more,
  })
  return { sink, commits, metrics }
}

const start = (sink: StatsSink, end = 1000) => sink.assigned({ partition: 0, committed: undefined, oldest: 0, end })
const total = (sink: StatsSink) => sink.read()[0]?.total_count ?? 0

describe('statsSink', () => {
  it('shows at once what it took, and stores it when the time has come', async () => {
    const store = stateFileStatsStore({ file: await newFile() })
    let now = 0
    const { sink, commits } = make(store, { applyEveryMs: 2_000, clock: () => now })
    const entries = [entry(0), entry(1), entry(2)]
    expect(await start(sink)).toBe(0)
    expect(await sink.take(batch(entries, 0, 2))).toBe(2)
    expect(sink.read()).toMatchObject([{ scenario_id: 5, judging_version: 1, total_count: 2, success_count: 1 }])
    expect(sink.lastMinute(ARRIVED)[0]?.total_count).toBe(2)
    expect(sink.series({ scenarioId: 5, resolution: '1m' })).toHaveLength(1)
    expect((await store.load(0))?.at.position).toBe(0)
    now = 1_999
    expect(await sink.tick(0)).toBeUndefined()
    expect(commits).toEqual([])
    now = 2_000
    expect(await sink.tick(0)).toBeUndefined()
    expect((await store.load(0))?.at).toEqual({ position: 2, order: entries[1]?.order })
    expect(commits).toEqual([2])
    now = 4_000
    expect(await sink.take(batch(entries, 2, 3))).toBe(3)
    expect(commits).toEqual([2, 3])
  })

  it('stores the rest when the partition goes', async () => {
    const store = stateFileStatsStore({ file: await newFile() })
    const { sink, commits } = make(store, { applyEveryMs: 60_000 })
    await start(sink)
    await sink.take(batch([entry(0), entry(1)], 0, 2))
    await sink.revoked(0)
    expect((await store.load(0))?.counters.read()[0]?.total_count).toBe(2)
    expect(commits).toEqual([2])
    expect(sink.read()).toEqual([])
  })

  it('skips records whose order key is not greater than the last accepted one', async () => {
    const { sink, metrics } = make(stateFileStatsStore({ file: await newFile() }))
    await start(sink)
    const entries = [entry(0), entry(1), entry(2), entry(3, 1), entry(4, 2), entry(5, 3)]
    await sink.take(batch(entries, 0, 6))
    expect(total(sink)).toBe(4)
    const values = (await metrics.outcomes.get()).values
    expect(values.map(({ labels, value }) => [labels.result, value])).toEqual([
      ['counted', 4],
      ['skipped', 2],
    ])
  })

  it('counts a batch once that is taken again because the store was away', async () => {
    const store = stateFileStatsStore({ file: await newFile() })
    let away = false
    const { sink } = make({
      load: partition => store.load(partition),
      apply: async (...args) => {
        if (away) throw new ProcessorError('STORE_UNAVAILABLE', 'away', { retryable: true })
        await store.apply(...args)
      },
    })
    await start(sink)
    away = true
    const taken = batch([entry(0), entry(1)], 0, 2)
    await expect(sink.take(taken)).rejects.toMatchObject({ retryable: true })
    await expect(sink.take(taken)).rejects.toMatchObject({ retryable: true })
    away = false
    expect(await sink.take(taken)).toBe(2)
    expect((await store.load(0))?.counters.read()[0]?.total_count).toBe(2)
  })

  it('forgets what it counted, loads again and seeks when another owner has written', async () => {
    const file = await newFile()
    const entries = Array.from({ length: 6 }, (_, i) => entry(i))
    const { sink } = make(stateFileStatsStore({ file }))
    await start(sink)
    await sink.take(batch(entries, 0, 2))
    const other = make(stateFileStatsStore({ file })).sink
    expect(await start(other)).toBe(2)
    await other.take(batch(entries, 2, 5))
    expect(await sink.take(batch(entries, 2, 4))).toBe(5)
    expect(total(sink)).toBe(5)
    expect(await sink.take(batch(entries, 5, 6))).toBe(6)
    expect(total(sink)).toBe(6)
  })

  it('leaves no hole when loading again fails after a mismatch', async () => {
    const file = await newFile()
    const store = stateFileStatsStore({ file })
    let loads = 0
    const { sink } = make({
      apply: (...args) => store.apply(...args),
      load: async partition => {
        if (++loads === 2) throw new ProcessorError('STORE_UNAVAILABLE', 'away', { retryable: true })
        return store.load(partition)
      },
    })
    const entries = Array.from({ length: 6 }, (_, i) => entry(i))
    await start(sink)
    await sink.take(batch(entries, 0, 3))
    // The store goes back to an earlier state.
    await store.apply(0, 3, { position: 1, order: entries[0]?.order }, countersOf(entries.slice(0, 1)))
    await expect(sink.take(batch(entries, 3, 6))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(await sink.take(batch(entries, 3, 6))).toBe(1)
    expect(await sink.take(batch(entries, 1, 6))).toBe(6)
    expect(total(sink)).toBe(6)
  })

  it('reads the log again, and counts nothing twice, when the log lost its last records', async () => {
    const file = await newFile()
    const entries = Array.from({ length: 6 }, (_, i) => entry(i))
    const { sink } = make(stateFileStatsStore({ file }))
    await start(sink)
    await sink.take(batch(entries, 0, 5))
    const { sink: after } = make(stateFileStatsStore({ file }))
    expect(await start(after, 3)).toBe(0)
    expect(await after.take(batch(entries, 0, 6))).toBe(6)
    expect(total(after)).toBe(6)
  })

  it('counts all of a log that was made anew with a raised generation', async () => {
    const file = await newFile()
    const entries = Array.from({ length: 6 }, (_, i) => entry(i))
    const { sink } = make(stateFileStatsStore({ file }))
    await start(sink)
    await sink.take(batch(entries, 0, 6))
    const anew = entries.map(old => ({ ...old, order: { ...old.order, generation: 1 } }))
    const { sink: after } = make(stateFileStatsStore({ file }))
    expect(await start(after, 3)).toBe(0)
    await after.take(batch(anew, 0, 3))
    expect(total(after)).toBe(9)
  })

  it.each([
    ['the log does not begin at its beginning', 7, false],
    ['the archive has outcomes already', 0, true],
  ])('does not begin from nothing when %s', async (_what, oldest, hasRows) => {
    const { sink } = make(stateFileStatsStore({ file: await newFile() }), { archiveHasRows: async () => hasRows })
    await expect(sink.assigned({ partition: 0, committed: undefined, oldest, end: 9 })).rejects.toThrow(
      /STATE_DAMAGED: .*headwater stats rebuild/,
    )
  })

  it('has a position from the first assignment on, so that a kill before the first apply is no loss of counters', async () => {
    const file = await newFile()
    await start(make(stateFileStatsStore({ file })).sink)
    const { sink } = make(stateFileStatsStore({ file }), { archiveHasRows: async () => true })
    expect(await start(sink)).toBe(0)
  })

  it('goes on behind a record that holds no outcome', async () => {
    const { sink } = make(stateFileStatsStore({ file: await newFile() }))
    await start(sink)
    await sink.take(batch([entry(0), { ...entry(1), value: Buffer.from('nonsense') }, entry(2)], 0, 3))
    expect(total(sink)).toBe(2)
  })

  it('goes on when a commit fails', async () => {
    const { sink } = make(stateFileStatsStore({ file: await newFile() }), {
      reader: { commit: () => Promise.reject(new Error('no')) },
    })
    await start(sink)
    expect(await sink.take(batch([entry(0)], 0, 1))).toBe(1)
  })

  it('sums the partitions of this process', async () => {
    const { sink } = make(stateFileStatsStore({ file: await newFile() }))
    await start(sink)
    await sink.assigned({ partition: 1, committed: undefined, oldest: 0, end: 9 })
    await sink.take(batch([entry(0)], 0, 1))
    await sink.take({ ...batch([entry(0), entry(1)], 0, 2), partition: 1 })
    expect(total(sink)).toBe(3)
  })

  it('counts every event once, wherever it is killed and whatever the log repeats', async () => {
    const killed = new Error('killed')
    await fc.assert(
      fc.asyncProperty(
        // How far the writer goes forward, and how far back before it goes on (a repeat in the log).
        fc.array(fc.record({ forward: fc.integer({ min: 1, max: 9 }), back: fc.integer({ min: 0, max: 5 }) }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 8 }),
        // Dies after this many steps, one life after the other; a step is anything before or after which it can die.
        fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 6 }),
        async (writes, cuts, deaths) => {
          const inputs: number[] = []
          let next = 0
          for (const { forward, back } of writes) {
            for (let i = 0; i < forward; i++) inputs.push(next++)
            if (back > 0) for (let i = Math.max(0, next - back); i < next; i++) inputs.push(i)
          }
          const entries = inputs.map((input, offset) => entry(offset, input))
          const file = await newFile()

          for (const death of [...deaths, Number.POSITIVE_INFINITY]) {
            let left = death
            const step = (): void => {
              if (left-- <= 0) throw killed
            }
            const store = stateFileStatsStore({ file })
            const { sink } = make(
              {
                load: partition => store.load(partition),
                apply: async (...args) => {
                  step()
                  await store.apply(...args)
                  step()
                },
              },
              { reader: { commit: async () => step() } },
            )
            try {
              let position = await start(sink, entries.length)
              for (let n = 0; position < entries.length; n++) {
                step()
                const to = Math.min(entries.length, position + (cuts[n % cuts.length] as number))
                position = await sink.take(batch(entries, position, to))
              }
              step()
              await sink.revoked(0)
            } catch (error) {
              if (error !== killed) throw error
            }
          }
          const counters = (await stateFileStatsStore({ file }).load(0))?.counters
          expect(counters?.read()[0]?.total_count).toBe(new Set(inputs).size)
        },
      ),
      { numRuns: 60 },
    )
  })
})

function countersOf(entries: LogEntry[]): Counters {
  const counters = new Counters()
  for (const _ of entries) counters.add({ scenarioId: 5, judgingVersion: 1, success: 0, date: ARRIVED })
  return counters
}
