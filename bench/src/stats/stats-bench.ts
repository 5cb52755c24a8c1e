import { deepEqual } from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Counters, decodeOutcome } from '@headwater/core'
import { createProcessorMetrics, stateFileStatsStore, statsSink } from '@headwater/processor'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expectedCounts } from '../access-lines.ts'
import { atLeast, type Bench, inTurns, type Measured, type RunOptions, shown } from '../bench.ts'
import { ownCpuSeconds } from '../cpu-time.ts'
import { batchesOf, recordsOfLines } from '../outcome-entries.ts'
import { profiled } from '../profile.ts'

const OURS = 'stats sink, state file'

/** Records of `scenario-log` → counters → state file, beside counting alone. */
export const statsBench: Bench = {
  name: 'stats',
  about: 'outcomes → counters → state file (its fsyncs too), beside counting outcomes that are taken apart already',
  run,
}

async function run({ scale, profile }: RunOptions): Promise<Measured> {
  const small = scale === 'small'
  const count = small ? 5_000 : 300_000
  const options = { scenarios: 20, members: 100_000, startMs: Date.UTC(2026, 0, 5, 9), stepMs: 10 }
  const { outcomes } = recordsOfLines(count, options)
  const batches = batchesOf(outcomes)
  const decoded = outcomes.map(entry => decodeOutcome(entry.value.toString()))
  const expected = [...expectedCounts(0, count, options)].sort((a, b) => a[0] - b[0])
  const folder = mkdtempSync(join(tmpdir(), 'headwater-bench-'))
  let files = 0

  function check(counters: Counters): void {
    const seen = counters.read().map(row => [row.scenario_id, { total: row.total_count, success: row.success_count }])
    deepEqual(seen, expected)
  }

  const contenders = {
    async [OURS](): Promise<number> {
      const store = stateFileStatsStore({ file: join(folder, `${files++}.json`) })
      const { stats } = createProcessorMetrics(new Registry())
      const reader = { commit: () => Promise.resolve() }
      const sink = statsSink({ reader, store, applyEveryMs: 2000, metrics: stats, log: pino({ level: 'silent' }) })
      const before = ownCpuSeconds()
      await sink.assigned({ partition: 0, committed: undefined, oldest: 0, end: count })
      for (const batch of batches) await sink.take(batch)
      await sink.revoked(0)
      const seconds = ownCpuSeconds() - before
      const stored = await store.load(0)
      if (stored?.at.position !== count)
        throw new Error(`stored up to ${count} expected. Found: ${stored?.at.position}`)
      check(stored.counters)
      return count / seconds
    },
    async 'counters alone'(): Promise<number> {
      const before = ownCpuSeconds()
      const counters = new Counters()
      for (const outcome of decoded) counters.add(outcome)
      const seconds = ownCpuSeconds() - before
      check(counters)
      return count / seconds
    },
  }
  try {
    for (const contender of Object.values(contenders)) await contender()
    const { result: rates, hotspots } = await profiled(profile, () => inTurns(small ? 1 : 7, contenders))
    return {
      rows: Object.entries(rates).map(([what, { median, low, high }]) => ({
        what,
        figures: {
          'outcomes/CPU-s': shown(median),
          band: `${shown(low)} – ${shown(high)}`,
          'µs each': (1e6 / median).toFixed(2),
        },
      })),
      verdicts: [atLeast('outcomes → counters → store', 500_000, rates[OURS]?.median as number, 'outcomes/CPU-s')],
      ...(hotspots && { hotspots }),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
