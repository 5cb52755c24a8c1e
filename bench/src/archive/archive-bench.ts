import { deepEqual } from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { decodeOutcome, outcomeRow } from '@headwater/core'
import {
  type ArchiveCodec,
  archiveSink,
  createProcessorMetrics,
  type EntryBatch,
  localFileStore,
} from '@headwater/processor'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { isSuccess } from '../access-lines.ts'
import { atLeast, atMost, type Bench, inTurns, type Measured, type RunOptions, shown } from '../bench.ts'
import { ownCpuSeconds } from '../cpu-time.ts'
import { batchesOf, recordsOfLines } from '../outcome-entries.ts'
import { profiled } from '../profile.ts'
import { duckDbPeer, hyparquetPeer, type ParquetPeer, parquetJsPeer } from './parquet-peers.ts'

const OURS = 'ours, zstd'
const OURS_SNAPPY = 'ours, snappy'
const EVENTS = 'ours, zstd, event_log'
const LOGS = { event_log: 'event-log', scenario_log: 'scenario-log' } as const

/** Records of `scenario-log` → a published Parquet file, beside other writers, which get finished rows. */
export const archiveBench: Bench = {
  name: 'archive',
  about:
    'outcomes → Parquet, our columns: ours from the log’s JSON to the published file; the peers from finished rows',
  run,
}

async function run({ scale, profile }: RunOptions): Promise<Measured> {
  const small = scale === 'small'
  const count = small ? 2_000 : 100_000
  const options = { scenarios: 20, members: 100_000, startMs: Date.UTC(2026, 0, 5, 9), stepMs: 1 }
  const { events, outcomes } = recordsOfLines(count, options)
  const outcomeBatches = batchesOf(outcomes)
  const eventBatches = batchesOf(events)
  const rows = outcomes.map(({ value, offset }) =>
    outcomeRow(decodeOutcome(value.toString()), { partition: 0, offset }),
  )
  let successes = 0
  for (let i = 0; i < count; i++) if (isSuccess(i, options)) successes++
  const root = mkdtempSync(join(tmpdir(), 'headwater-bench-'))
  const bytesARow = new Map<string, number>()
  const reader = await (await DuckDBInstance.create(':memory:')).connect()
  let attempts = 0

  /** Counts what stands in `files`, and forgets them. */
  async function check(what: string, files: readonly string[], folder: string, isOutcomes: boolean): Promise<void> {
    const list = files.map(file => `'${file}'`).join(', ')
    const sum = isOutcomes ? 'sum(success)::INTEGER' : '0'
    const sql = `SELECT count(*)::INTEGER, count(DISTINCT event_id)::INTEGER, ${sum} FROM read_parquet([${list}])`
    const seen = (await reader.runAndReadAll(sql)).getRows()[0]
    deepEqual(seen, [count, count, isOutcomes ? successes : 0], what)
    bytesARow.set(what, files.reduce((bytes, file) => bytes + statSync(file).size, 0) / count)
    rmSync(folder, { recursive: true })
  }

  const ours =
    (what: string, table: keyof typeof LOGS, batches: readonly EntryBatch[], codec: ArchiveCodec) =>
    async (): Promise<number> => {
      const folder = join(root, String(attempts++))
      const { archive } = createProcessorMetrics(new Registry())
      const sink = archiveSink({
        table,
        reader: { log: LOGS[table], commit: () => Promise.resolve() },
        files: localFileStore(folder),
        tempDir: join(folder, '_encoding'),
        roll: { rows: count, bytes: 2 ** 31 },
        codec,
        metrics: archive,
        log: pino({ level: 'silent' }),
      })
      const before = ownCpuSeconds()
      await sink.assigned({ partition: 0, committed: undefined, oldest: 0, end: count })
      for (const batch of batches) await sink.take(batch)
      await sink.revoked(0)
      const seconds = ownCpuSeconds() - before
      const names = readdirSync(join(folder, table), { recursive: true, encoding: 'utf8' })
      const files = names.filter(name => name.endsWith('.parquet')).map(name => join(folder, table, name))
      await check(what, files, folder, table === 'scenario_log')
      return count / seconds
    }
  const peer = (what: string, write: ParquetPeer) => async (): Promise<number> => {
    const folder = mkdtempSync(join(root, 'peer-'))
    const file = join(folder, 'rows.parquet')
    const before = ownCpuSeconds()
    await write(file, rows)
    const seconds = ownCpuSeconds() - before
    await check(what, [file], folder, true)
    return count / seconds
  }
  const peers = Object.entries({
    'parquetjs-lite, snappy': parquetJsPeer,
    'hyparquet-writer by columns, zstd': hyparquetPeer,
    'DuckDB append and COPY, zstd': duckDbPeer('zstd'),
    'DuckDB append and COPY, snappy': duckDbPeer('snappy'),
  })
  const contenders = {
    [OURS]: ours(OURS, 'scenario_log', outcomeBatches, 'zstd'),
    [OURS_SNAPPY]: ours(OURS_SNAPPY, 'scenario_log', outcomeBatches, 'snappy'),
    [EVENTS]: ours(EVENTS, 'event_log', eventBatches, 'zstd'),
    ...Object.fromEntries(peers.map(([what, write]) => [what, peer(what, write)])),
  }
  try {
    if (!small) await contenders[OURS]?.()
    // With a profile, ours alone: the peers' functions say nothing about it.
    const measured = profile ? { [OURS]: contenders[OURS], [EVENTS]: contenders[EVENTS] } : contenders
    const { result: rates, hotspots } = await profiled(profile, () => inTurns(small ? 1 : 5, measured))
    const rate = rates[OURS]?.median as number
    const verdicts = [
      atLeast('outcomes → Parquet', 150_000, rate, 'rows/CPU-s'),
      atLeast('outcomes → Parquet, in the end', 300_000, rate, 'rows/CPU-s'),
    ]
    const smallest = Math.min(bytesARow.get(OURS_SNAPPY) ?? 0, bytesARow.get('DuckDB append and COPY, snappy') ?? 0)
    if (!profile)
      verdicts.push(atMost('bytes a row', 0.7, (bytesARow.get(OURS) as number) / smallest, '× the smallest snappy'))
    return {
      rows: Object.entries(rates).map(([what, { median, low, high }]) => ({
        what,
        figures: {
          'rows/CPU-s': shown(median),
          band: `${shown(low)} – ${shown(high)}`,
          'bytes a row': (bytesARow.get(what) as number).toFixed(1),
          'ours is faster by': (rate / median).toFixed(1),
        },
      })),
      verdicts,
      ...(hotspots && { hotspots }),
    }
  } finally {
    reader.closeSync()
    rmSync(root, { recursive: true, force: true })
  }
}
