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
const WARM_UP = 300_000
/** So many events show what one costs after those before. */
const SAMPLE = 100_000
const ALL_STAGES = ['filter', 'stats', 'archive'] as const

/**
 * Whether an event costs the same whatever came before it, and however many share the work: one running system a number of
 * partitions (as many workers, each with all stages) gets 10⁴, 10⁵ … further events, each lot to its last file, and after
 * each lot a sample. Samples are alike, so their costs can be compared; a lot has besides what its end costs, which is
 * shared by few or by many: the last files of each partition, some tenths of a second.
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
  const plan: Plan = small
    ? { warmUp: 500, lots: [1_000, largest], sample: 1_000, members: 1_000 }
    : { warmUp: WARM_UP, lots: lotsUpTo(largest), sample: SAMPLE, members: 100_000 }
  const stores = await startDistributedServices()
  try {
    const all: Lot[] = []
    for (const partitions of small ? [2] : [1, 2, 4]) all.push(...(await oneSystem(stores, partitions, plan)))
    const samples = all.filter(({ isSample }) => isSample).map(({ micros }) => micros)
    const [least, most] = [Math.min(...samples), Math.max(...samples)]
    return {
      rows: all.map(({ what, figures }) => ({ what, figures })),
      verdicts: [
        atMost('CPU an event is constant: ±', 15, (100 * (most - least)) / (most + least), '% of the middle'),
        atMost('a larger lot costs no more: +', 15, Math.max(0, ...growths(all)), '% an event'),
      ],
    }
  } finally {
    await stores.stop()
  }
}

interface Plan {
  warmUp: number
  lots: readonly number[]
  sample: number
  members: number
}

interface Lot extends Row {
  partitions: number
  isSample: boolean
  micros: number
}

/** One system: the warm-up, then each lot and its sample, to the last row in its file. */
async function oneSystem(
  stores: DistributedServices,
  partitions: number,
  { warmUp, lots, sample, members }: Plan,
): Promise<Lot[]> {
  const total = lots.reduce((sum, lot) => sum + lot + sample, warmUp)
  const lines: LineOptions = { scenarios: 20, members, startMs: Date.now() - total, stepMs: 1 }
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
  async function measure(lot: number, isSample: boolean): Promise<void> {
    const what = isSample ? `${partitions} × next ${lot} after ${fed}` : `${partitions} × ${lot}`
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
    seen.push({ what, partitions, isSample, micros, figures })
    // It may take an hour to the table.
    console.log(`${what}: ${micros.toFixed(1)} µs CPU an event`)
  }
  try {
    await feed(warmUp)
    for (const lot of lots) {
      await measure(lot, false)
      await measure(sample, true)
    }
    await pipeline.check(expectedCounts(0, fed, lines))
    return seen
  } finally {
    rmSync(folder, { recursive: true, force: true })
    await pipeline.stop()
  }
}

/** By how many per cent each lot is dearer an event than the one before it of the same system. */
function growths(all: readonly Lot[]): number[] {
  const lots = all.filter(({ isSample }) => !isSample)
  return lots.flatMap(({ partitions, micros }, i) => {
    const before = lots[i - 1]
    return before?.partitions === partitions ? [100 * (micros / before.micros - 1)] : []
  })
}

/** 10⁴, 10⁵ … and the largest. */
function lotsUpTo(largest: number): number[] {
  const lots: number[] = []
  for (let lot = 10_000; lot < largest; lot *= 10) lots.push(lot)
  return [...lots, largest]
}

function secondsOf(cpu: ReadonlyMap<string, { total: number }>): number {
  return [...cpu.values()].reduce((sum, { total }) => sum + total, 0)
}
