import { deepEqual } from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { openArchive } from '@headwater/processor'
import type { HeadwaterProcess, ScenarioCounts } from './headwater-process.ts'

/** What must be counted, by scenario id. */
export type Expected = ReadonlyMap<number, { total: number; success: number }>

const ARCHIVED = (table: string) => `headwater_archive_rows_total{table="${table}",result="archived"}`

/** Waits until `events` events, one outcome each, are counted and published in both archive tables. */
export async function untilComplete(
  headwater: Pick<HeadwaterProcess, 'metrics'>,
  events: number,
  timeoutMs: number,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const metrics = await headwater.metrics()
    const seen = [
      metrics.get('headwater_stats_outcomes_total{result="counted"}') ?? 0,
      metrics.get(ARCHIVED('event_log')) ?? 0,
      metrics.get(ARCHIVED('scenario_log')) ?? 0,
    ]
    if (seen.every(count => count >= events)) return
    if (performance.now() > deadline)
      throw new Error(`${events} events must be counted and archived in ${timeoutMs} ms. Found: ${seen.join(', ')}.`)
    // Asking costs some milliseconds, too.
    await pause(events < 100_000 ? 50 : 2_000)
  }
}

/** Compares the counters, and what the archive itself holds, with what must be there. */
export async function checkCounts(
  stats: readonly ScenarioCounts[],
  archive: string,
  expected: Expected,
): Promise<void> {
  const wanted = [...expected].sort((a, b) => a[0] - b[0]).map(([id, { total, success }]) => [id, total, success])
  const counted = stats.map(row => [row.scenario_id, row.total_count, row.success_count])
  deepEqual(counted, wanted, 'counters')
  const total = wanted.reduce((sum, row) => sum + (row[1] as number), 0)
  const reader = await openArchive({ archiveDir: archive, deadlineMs: 600_000, memoryLimitMb: 4096 })
  try {
    const rows = async (sql: string): Promise<unknown[][]> => {
      const all: unknown[][] = []
      for await (const some of (await reader.query(sql)).rows) all.push(...some)
      return all
    }
    deepEqual(
      await rows('select scenario_id, count(*), sum(success) from scenario_log group by 1 order by 1'),
      wanted,
      'scenario_log',
    )
    deepEqual(await rows('select count(*), count(distinct event_id) from event_log'), [[total, total]], 'event_log')
  } finally {
    reader.close()
  }
}
