import { open } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { accessLine, expectedCounts, type LineOptions } from '../access-lines.ts'
import { atMost, type Bench, type Measured, type RunOptions } from '../bench.ts'
import { checkCounts, untilComplete } from '../complete-run.ts'
import { cpuSecondsOf } from '../cpu-time.ts'
import { type HeadwaterProcess, makeDataFolder, startHeadwater } from '../headwater-process.ts'
import { hotspotsIn } from '../profile.ts'
import { yardstickMicros } from '../yardstick.ts'

/** Lines are written this often, several at once: what a gateway does at this rate. */
const WRITE_EVERY_MS = 10
/** How often the counters are asked for; a line counts as readable when an answer has it, so up to this is added to its age. */
const ASK_EVERY_MS = 25

/** Log line → counter readable, at a steady 500 events a second. */
export const freshnessBench: Bench = {
  name: 'freshness',
  about: '500 events/s for 60 s: log line → counter readable on the private port; then CPU an event while nobody asks',
  run,
}

async function run({ scale, profile }: RunOptions): Promise<Measured> {
  const small = scale === 'small'
  const perSecond = small ? 200 : 500
  const seconds = small ? 2 : 60
  const options = { scenarios: 20, members: small ? 1_000 : 100_000, startMs: Date.now(), stepMs: 1000 / perSecond }
  const folder = makeDataFolder(options.scenarios, options.members)
  const headwater = await startHeadwater(folder, { HEADWATER_ARCHIVE_ROLL_IDLE_MS: '1000' }, profile)
  try {
    const writtenAt: number[] = []
    const write = (to: number) => writeSteadily(folder.accessLog, writtenAt, to, perSecond, options)

    // Just-in-time compilation and the first file are not what is measured.
    await write(small ? 100 : 5_000)
    const first = writtenAt.length
    const seenAt = new Float64Array(first + seconds * perSecond)
    const asked = { stop: false, times: 0, cpu: cpuSecondsOf(headwater.pid) }
    const asking = ask(headwater, seenAt, asked)
    await write(seenAt.length)
    await until(() => (seenAt.at(-1) as number) > 0, 30_000)
    asked.stop = true
    await asking
    const askedCpu = cpuSecondsOf(headwater.pid) - asked.cpu
    const ages = [...seenAt.subarray(first)].map((at, i) => at - (writtenAt[first + i] as number)).sort((a, b) => a - b)

    // The same load again, and nobody asks: what the events themselves cost, archive files and snapshots included.
    const quietEvents = (small ? 1 : 60) * perSecond
    const before = cpuSecondsOf(headwater.pid)
    await write(writtenAt.length + quietEvents)
    const quietCpu = cpuSecondsOf(headwater.pid) - before

    await untilComplete(headwater, writtenAt.length, 60_000)
    await checkCounts(await headwater.stats(), folder.archive, expectedCounts(0, writtenAt.length, options))
    await headwater.stop()
    const micros = (quietCpu * 1e6) / quietEvents
    const p = (share: number) => ages[Math.min(ages.length - 1, Math.floor(ages.length * share))] as number
    return {
      rows: [
        {
          what: `${perSecond} events/s`,
          figures: {
            'p50 ms': Math.round(p(0.5)),
            'p99 ms': Math.round(p(0.99)),
            'max ms': Math.round(p(1)),
            'µs CPU an event': micros.toFixed(1),
            [`… with ${Math.round(asked.times / seconds)} questions/s`]: (
              (askedCpu * 1e6) /
              (seconds * perSecond)
            ).toFixed(1),
            'yardstick µs': yardstickMicros().toFixed(2),
          },
        },
      ],
      verdicts: [
        atMost('age at p99 (the original: 8 000)', 1000, p(0.99), 'ms'),
        atMost('CPU (the original: 870)', 60, micros, 'µs an event'),
      ],
      ...(profile && { hotspots: hotspotsIn(folder.profile) }),
    }
  } finally {
    await headwater.stop()
    folder.remove()
  }
}

/** Appends lines up to number `to` at a steady rate, and notes when each was written. */
async function writeSteadily(
  path: string,
  writtenAt: number[],
  to: number,
  perSecond: number,
  options: LineOptions,
): Promise<void> {
  const file = await open(path, 'a')
  const begin = performance.now()
  const from = writtenAt.length
  try {
    while (writtenAt.length < to) {
      await pause(WRITE_EVERY_MS)
      const due = Math.min(to, from + Math.floor(((performance.now() - begin) / 1000) * perSecond))
      let text = ''
      for (let i = writtenAt.length; i < due; i++) text += `${accessLine(i, options)}\n`
      if (text === '') continue
      await file.appendFile(text, 'latin1')
      const now = performance.now()
      while (writtenAt.length < due) writtenAt.push(now)
    }
  } finally {
    await file.close()
  }
}

/** Asks for the counters again and again; all lines of the total that an answer shows were readable by then. */
async function ask(
  headwater: HeadwaterProcess,
  seenAt: Float64Array,
  asked: { stop: boolean; times: number },
): Promise<void> {
  let seen = 0
  while (!asked.stop) {
    const rows = await headwater.stats()
    const now = performance.now()
    const total = rows.reduce((sum, row) => sum + row.total_count, 0)
    while (seen < Math.min(total, seenAt.length)) seenAt[seen++] = now
    asked.times++
    await pause(ASK_EVERY_MS)
  }
}

async function until(condition: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`the last line must be counted within ${timeoutMs} ms`)
    await pause(20)
  }
}
