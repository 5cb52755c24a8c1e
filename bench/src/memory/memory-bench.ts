import { existsSync, renameSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { appendLines, expectedCounts } from '../access-lines.ts'
import { atMost, type Bench, type Measured, type Row, type RunOptions, shown } from '../bench.ts'
import { checkCounts, untilComplete } from '../complete-run.ts'
import { cpuSecondsOf, residentMiB } from '../cpu-time.ts'
import { type HeadwaterProcess, makeDataFolder, startHeadwater } from '../headwater-process.ts'
import { yardstickMicros } from '../yardstick.ts'

/** Lines are written at most this far ahead of the filter. */
const AHEAD = 100_000
/** What the duplicate window (4 000 000 ids of 14 bytes) takes more behind the last million than behind the second, MiB. */
const WINDOW_GROWTH = 28
/** Lines must be read within this, or the run has got stuck. */
const STUCK_MS = 120_000

/**
 * Many lines through one process. The log is written while it runs and rotated every million lines; what was read is
 * deleted after a minute (the shortest that `log.keepMs` and `dedup.windowMs` allow), so the disk holds little. Log time runs
 * slowly, so that the duplicate window holds all the ids it may.
 */
export const memoryBench: Bench = {
  name: 'memory',
  about: '10 M lines through embedded mode, 100 k members: resident memory at each million, and its peak',
  run,
}

async function run({ scale }: RunOptions): Promise<Measured> {
  const small = scale === 'small'
  const count = small ? 20_000 : 10_000_000
  const step = count / 10
  const windowMs = 60_000
  const options = {
    scenarios: 20,
    members: small ? 1_000 : 100_000,
    startMs: Date.now() - windowMs / 2,
    stepMs: windowMs / 2 / count,
  }
  const folder = makeDataFolder(options.scenarios, options.members)
  const settings = {
    HEADWATER_LOG_KEEP_MS: '0',
    HEADWATER_DEDUP_WINDOW_MS: String(windowMs),
    HEADWATER_ARCHIVE_ROLL_IDLE_MS: '1000',
  }
  const headwater = await startHeadwater(folder, settings, false)
  try {
    const rows: Row[] = []
    const resident: number[] = []
    for (let done = 0, million = 1; million <= 10; million++) {
      const cpuBefore = cpuSecondsOf(headwater.pid)
      const to = million * step
      while (done < to) {
        const next = Math.min(to, done + AHEAD / 2)
        await appendLines(folder.accessLog, done, next, options)
        done = next
        await untilRead(headwater, done - AHEAD / 2)
      }
      await untilRead(headwater, done)
      if (million < 10) await rotate(headwater, folder.accessLog, million)
      const cpu = cpuSecondsOf(headwater.pid) - cpuBefore
      const { now, peak } = residentMiB(headwater.pid)
      resident.push(now)
      console.log(
        `${shown(to)} of ${shown(count)} lines: ${Math.round(now)} MiB resident, peak ${Math.round(peak)} MiB`,
      )
      rows.push({
        what: `${shown(to)} lines`,
        figures: {
          'resident MiB': Math.round(now),
          'peak MiB': Math.round(peak),
          'µs CPU an event': ((cpu * 1e6) / step).toFixed(1),
          'yardstick µs': yardstickMicros().toFixed(2),
        },
      })
    }
    await untilComplete(headwater, count, 600_000)
    const { peak } = residentMiB(headwater.pid)
    await checkCounts(await headwater.stats(), folder.archive, expectedCounts(0, count, options))
    const growth = (resident[9] as number) / ((resident[1] as number) + WINDOW_GROWTH)
    return {
      rows,
      verdicts: [
        atMost('peak (the original: 1 900)', 400, peak, 'MiB resident'),
        atMost('last tenth, as many times the second with a full duplicate window', 1.1, growth, '×'),
      ],
    }
  } finally {
    await headwater.stop()
    folder.remove()
  }
}

async function untilRead(headwater: HeadwaterProcess, lines: number): Promise<void> {
  const deadline = performance.now() + STUCK_MS
  for (;;) {
    const read = (await headwater.metrics()).get('headwater_filter_lines_total') ?? 0
    if (read >= lines) return
    if (performance.now() > deadline)
      throw new Error(`${lines} lines must be read within ${STUCK_MS} ms. Found: ${read}.`)
    await pause(50)
  }
}

/** As logrotate does it: rename, then SIGUSR1; resolves when the gateway has opened a new log. */
async function rotate(headwater: HeadwaterProcess, path: string, number: number): Promise<void> {
  renameSync(path, `${path}.${number}`)
  headwater.reopenLog()
  while (!existsSync(path)) await pause(10)
}
