import { appendLines, expectedCounts } from '../access-lines.ts'
import { atLeast, type Bench, type Measured, type RunOptions, shown } from '../bench.ts'
import { checkCounts, untilComplete } from '../complete-run.ts'
import { cpuSecondsOf, residentMiB } from '../cpu-time.ts'
import { makeDataFolder, startHeadwater } from '../headwater-process.ts'
import { hotspotsIn } from '../profile.ts'
import { yardstickMicros } from '../yardstick.ts'

/** The original chain (Fluentd → Kafka → filter → Kafka → Spark → Redis and Parquet), tuned in its favour, events/CPU-s. */
const ORIGINAL = 2_700

/** A log that was there before → every event counted and in Parquet: `headwater start` as a user starts it. */
export const chainBench: Bench = {
  name: 'chain',
  about: 'log file of 1 M lines → counters and Parquet complete, embedded: all CPU of the process, its start too',
  run,
}

async function run({ scale, profile }: RunOptions): Promise<Measured> {
  const small = scale === 'small'
  const count = small ? 5_000 : 1_000_000
  const options = { scenarios: 20, members: small ? 1_000 : 100_000, startMs: Date.now() - count, stepMs: 1 }
  const folder = makeDataFolder(options.scenarios, options.members)
  try {
    await appendLines(folder.accessLog, 0, count, options)
    const yardstick = yardstickMicros()
    // The last rows need not wait for the usual half minute of silence.
    const settings = { HEADWATER_ARCHIVE_ROLL_IDLE_MS: '1000' }
    const started = performance.now()
    const headwater = await startHeadwater(folder, settings, profile)
    try {
      await untilComplete(headwater, count, 600_000)
      const cpu = cpuSecondsOf(headwater.pid)
      const wall = (performance.now() - started) / 1000
      const { peak } = residentMiB(headwater.pid)
      await checkCounts(await headwater.stats(), folder.archive, expectedCounts(0, count, options))
      await headwater.stop()
      const rate = count / cpu
      return {
        rows: [
          {
            what: 'embedded',
            figures: {
              'events/CPU-s': shown(rate),
              'CPU s': cpu.toFixed(1),
              'wall s': wall.toFixed(1),
              'µs CPU an event': ((cpu * 1e6) / count).toFixed(1),
              'peak MiB': Math.round(peak),
              '× original': (rate / ORIGINAL).toFixed(1),
              'yardstick µs': ((yardstick + yardstickMicros()) / 2).toFixed(2),
            },
          },
        ],
        verdicts: [atLeast('log file → counters and Parquet, embedded', 50_000, rate, 'events/CPU-s')],
        // A process leaves its profile when it ends.
        ...(profile && { hotspots: hotspotsIn(folder.profile) }),
      }
    } finally {
      await headwater.stop()
    }
  } finally {
    folder.remove()
  }
}
