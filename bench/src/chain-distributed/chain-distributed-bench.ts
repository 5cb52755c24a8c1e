import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type DistributedServices,
  findFluentd,
  fluentdMissing,
  serviceOrSkip,
  startDistributedServices,
} from '@headwater/testkit'
import { appendLines, expectedCounts } from '../access-lines.ts'
import {
  atLeast,
  type Bench,
  type Hotspot,
  type Measured,
  type Row,
  type RunOptions,
  shown,
  type Verdict,
} from '../bench.ts'
import { hotspotsIn } from '../profile.ts'
import { yardstickMicros } from '../yardstick.ts'
import { type CpuByProcess, startPipeline } from './pipeline.ts'
import { cpuOfStores, hasStores } from './stores.ts'

/** The original chain (Fluentd → Kafka → filter → Kafka → Spark → Redis and Parquet), tuned in its favour, events/CPU-s. */
const ORIGINAL = 2_700
const STAGES = [['filter'], ['stats'], ['archive']] as const
/** What each way in must reach, events/CPU-s. */
const TARGET = { ship: 15_000, fluentd: 5_000 } as const

/**
 * A log file → shipper → Kafka (3 partitions) → one worker process a stage → Redis and HDFS complete. The figure is that of
 * the original chain's measurement: CPU of the processes that move and judge events, their start too; brokers and stores,
 * which both chains need, stand beside it.
 */
export function chainDistributedBench(events: number | undefined): Bench {
  return {
    name: 'chain-distributed',
    about:
      'log file → counters in Redis and Parquet in HDFS complete: all CPU of shipper and workers, their start too; ' +
      'Kafka, Redis, MariaDB and HDFS apart',
    run: options => run(options, events),
  }
}

interface Run {
  rows: Row[]
  /** Events per CPU-second of shipper and workers. */
  rate: number
  /** Outcomes per CPU-second of the statistics' worker, without its start. */
  statsRate: number
  hotspots?: readonly Hotspot[]
}

async function run({ scale, profile }: RunOptions, events: number | undefined): Promise<Measured> {
  if (!hasStores()) return { skipped: 'Kafka, Redis, MariaDB and HDFS are needed', rows: [], verdicts: [] }
  const shippers = serviceOrSkip('Fluentd', findFluentd(), fluentdMissing())
    ? (['ship', 'fluentd'] as const)
    : (['ship'] as const)
  const small = scale === 'small'
  const count = events ?? (small ? 2_000 : 1_000_000)
  const lines = { scenarios: 20, members: small ? 1_000 : 100_000, startMs: Date.now() - count, stepMs: 1 }
  const folder = mkdtempSync(join(tmpdir(), 'headwater-bench-'))
  let stores: DistributedServices | undefined
  try {
    const file = join(folder, 'lines.log')
    await appendLines(file, 0, count, lines)
    stores = await startDistributedServices()
    const rows: Row[] = []
    const verdicts: Verdict[] = []
    let hotspots: readonly Hotspot[] | undefined // of `ship`'s run
    for (const shipper of shippers) {
      const seen = await oneWay(shipper, stores, file, count, lines, profile ? join(folder, shipper) : undefined)
      rows.push(...seen.rows)
      hotspots ??= seen.hotspots
      verdicts.push(
        atLeast(`log file → counters and Parquet, by ${shipper}`, TARGET[shipper], seen.rate, 'events/CPU-s'),
      )
      if (shipper === 'ship')
        verdicts.push(atLeast('outcomes → Redis, without the start', 150_000, seen.statsRate, 'outcomes/CPU-s'))
    }
    return { rows, verdicts, ...(hotspots && { hotspots }) }
  } finally {
    await stores?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A fresh system, fed with the whole file at once. */
async function oneWay(
  shipper: 'ship' | 'fluentd',
  stores: DistributedServices,
  file: string,
  count: number,
  lines: Parameters<typeof expectedCounts>[2],
  profiles: string | undefined,
): Promise<Run> {
  const { scenarios, members } = lines
  const pipeline = await startPipeline({
    stores,
    partitions: 3,
    shipper,
    workers: STAGES,
    scenarios,
    members,
    profiles,
  })
  let stopped = false
  try {
    const yardstick = yardstickMicros()
    const before = cpuOfStores(stores)
    const started = performance.now()
    await pipeline.feed(file)
    await pipeline.untilComplete(count, 1_800_000)
    const cpu = pipeline.cpu()
    const after = cpuOfStores(stores)
    const wall = (performance.now() - started) / 1000
    const machine = {
      'yardstick µs': ((yardstick + yardstickMicros()) / 2).toFixed(2),
      load: (loadavg()[0] as number).toFixed(1),
    }
    await pipeline.check(expectedCounts(0, count, lines))
    stopped = true
    await pipeline.stop()

    const all = sumOf(cpu)
    const beside = Object.entries(after).map(([what, total]) => {
      const seconds = total - before[what as keyof typeof before]
      return row(`${shipper}:   beside: ${what}`, count, { start: 0, total: seconds })
    })
    const total = row(`${shipper}: all of ours${shipper === 'fluentd' ? ' and Fluentd' : ''}`, count, all, {
      '× original': (count / all.total / ORIGINAL).toFixed(1),
      'wall s': wall.toFixed(1),
      ...machine,
    })
    const stages = [...cpu].map(([name, each]) => row(`${shipper}:   ${name}`, count, each))
    const stats = cpu.get('stats') as { start: number; total: number }
    const ours = [...cpu.keys()].filter(name => name !== 'Fluentd')
    return {
      rows: [total, ...stages, ...beside],
      rate: count / all.total,
      statsRate: count / (stats.total - stats.start),
      // A process leaves its profile when it ends.
      ...(profiles !== undefined && { hotspots: ours.flatMap(name => hotspotsOf(profiles, name)) }),
    }
  } finally {
    if (!stopped) await pipeline.stop()
  }
}

/** The profile of one process. */
function hotspotsOf(profiles: string, name: string): readonly Hotspot[] {
  return hotspotsIn(join(profiles, name)).map(({ where, self }) => ({ where: `${name}: ${where}`, self }))
}

function sumOf(cpu: CpuByProcess): { start: number; total: number } {
  const each = [...cpu.values()]
  return {
    start: each.reduce((sum, { start }) => sum + start, 0),
    total: each.reduce((sum, { total }) => sum + total, 0),
  }
}

function row(
  what: string,
  count: number,
  { start, total }: { start: number; total: number },
  more: Record<string, string> = {},
): Row {
  const figures = {
    events: shown(count),
    'events/CPU-s': total > 0 ? shown(count / total) : '–',
    'CPU s': total.toFixed(2),
    'start s': start.toFixed(2),
    'µs CPU an event': ((total * 1e6) / count).toFixed(1),
    'without start': (((total - start) * 1e6) / count).toFixed(1),
  }
  return { what, figures: { ...figures, ...more } }
}
