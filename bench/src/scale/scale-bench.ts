import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DistributedServices, startDistributedServices } from '@headwater/testkit'
import { appendLines, expectedCounts, type LineOptions } from '../access-lines.ts'
import { atMost, type Bench, type Measured, type Row, type RunOptions, shown } from '../bench.ts'
import { startPipeline } from '../chain-distributed/pipeline.ts'
import { hasStores } from '../chain-distributed/stores.ts'
import { yardstickMicros } from '../yardstick.ts'

/** So many events first, unmeasured: start, compilation and the first fill of caches are no cost of an event. */
const WARM_UP = 50_000
const ALL_STAGES = ['filter', 'stats', 'archive'] as const

/**
 * Whether an event costs the same whatever came before it, and however many share the work: one running system a number of
 * partitions (as many workers, each with all stages) gets 10⁴, 10⁵ … further events and is measured over each lot.
 */
export function scaleBench(events: number | undefined): Bench {
  return {
    name: 'scale',
    about: 'CPU of ship and workers an event, from 10⁴ to 10⁶ events (--events 10000000: more), 1, 2 and 4 partitions',
    run: options => run(options, events),
  }
}

async function run({ scale }: RunOptions, events: number | undefined): Promise<Measured> {
  if (!hasStores()) return { skipped: 'Kafka, Redis, MariaDB and HDFS are needed', rows: [], verdicts: [] }
  const small = scale === 'small'
  const largest = events ?? (small ? 2_000 : 1_000_000)
  const lots = small ? [1_000, largest] : lotsUpTo(largest)
  const stores = await startDistributedServices()
  try {
    const rows: Row[] = []
    const costs: number[] = []
    for (const partitions of small ? [2] : [1, 2, 4])
      for (const { events: lot, micros, figures } of await oneSystem(stores, partitions, lots, small)) {
        rows.push({ what: `${partitions} × ${lot}`, figures })
        costs.push(micros)
      }
    const spread = (100 * (Math.max(...costs) - Math.min(...costs))) / 2 / middleOf(costs)
    return { rows, verdicts: [atMost('CPU an event is constant: ±', 15, spread, '% of the middle')] }
  } finally {
    await stores.stop()
  }
}

interface Lot {
  events: number
  micros: number
  figures: Row['figures']
}

/** One system: the warm-up, then each lot to its end. */
async function oneSystem(
  stores: DistributedServices,
  partitions: number,
  lots: readonly number[],
  small: boolean,
): Promise<Lot[]> {
  const warmUp = small ? 500 : WARM_UP
  const total = lots.reduce((sum, lot) => sum + lot, warmUp)
  const lines: LineOptions = { scenarios: 20, members: small ? 1_000 : 100_000, startMs: Date.now() - total, stepMs: 1 }
  const workers = Array.from({ length: partitions }, () => ALL_STAGES)
  const pipeline = await startPipeline({ stores, partitions, shipper: 'ship', workers, ...lines })
  const folder = mkdtempSync(join(tmpdir(), 'headwater-bench-'))
  const seen: Lot[] = []
  let fed = 0
  async function feed(lot: number): Promise<{ seconds: number; wall: number }> {
    const file = join(folder, 'lot.log')
    await appendLines(file, fed, fed + lot, lines)
    const before = secondsOf(pipeline.cpu())
    const started = performance.now()
    await pipeline.feed(file)
    rmSync(file)
    fed += lot
    await pipeline.untilComplete(fed, 3_600_000)
    return { seconds: secondsOf(pipeline.cpu()) - before, wall: (performance.now() - started) / 1000 }
  }
  try {
    await feed(warmUp)
    for (const lot of lots) {
      const yardstick = yardstickMicros()
      const { seconds, wall } = await feed(lot)
      const micros = (seconds * 1e6) / lot
      const figures = {
        'µs CPU an event': micros.toFixed(1),
        'events/CPU-s': shown(1e6 / micros),
        'CPU s': seconds.toFixed(2),
        'wall s': wall.toFixed(1),
        'yardstick µs': ((yardstick + yardstickMicros()) / 2).toFixed(2),
        load: (loadavg()[0] as number).toFixed(1),
      }
      seen.push({ events: lot, micros, figures })
      // It may take an hour to the table.
      console.log(`${partitions} × ${lot}: ${micros.toFixed(1)} µs CPU an event`)
    }
    await pipeline.check(expectedCounts(0, fed, lines))
    return seen
  } finally {
    rmSync(folder, { recursive: true, force: true })
    await pipeline.stop()
  }
}

/** 10⁴, 10⁵ … and the largest. */
function lotsUpTo(largest: number): number[] {
  const lots: number[] = []
  for (let lot = 10_000; lot < largest; lot *= 10) lots.push(lot)
  return [...lots, largest]
}

function middleOf(values: readonly number[]): number {
  return (Math.max(...values) + Math.min(...values)) / 2
}

function secondsOf(cpu: ReadonlyMap<string, { total: number }>): number {
  return [...cpu.values()].reduce((sum, { total }) => sum + total, 0)
}
