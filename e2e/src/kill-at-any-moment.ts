import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import type { SeededRandom } from './seeded-random.ts'

/** So many runs may end before their kill; each has half a chance or more, so this is never met by luck. */
const MAX_RUNS = 50

export interface KillAtAnyMomentOptions {
  /** How many runs to kill. */
  times: number
  random: SeededRandom
  /** Starts a run. */
  start(): ChildProcess
  /** Called after every run, killed or not. */
  check(): Promise<void>
}

/**
 * Kills a command that ends by itself, with SIGKILL, at random moments of its run. The first run is left alone: no later than
 * the last such one took comes the kill, so that it meets every part of the work on a quick machine and on a slow one.
 */
export async function killAtAnyMoment({ times, random, start, check }: KillAtAnyMomentOptions): Promise<void> {
  let tookMs = Number.NaN
  let killed = 0
  for (let run = 0; killed < times; run++) {
    if (run === MAX_RUNS) throw new Error(`only ${killed} of ${run} runs were still there to be killed`)
    const begun = performance.now()
    const child = start()
    const exited = once(child, 'exit')
    await (run === 0 ? exited : Promise.race([exited, pause(random.next() * tookMs)]))
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      killed++
    } else tookMs = performance.now() - begun
    await exited
    await check()
  }
}
