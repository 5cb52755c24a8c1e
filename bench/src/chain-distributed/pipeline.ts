import { createReadStream, createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline as stream } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { downloadHdfs, startFluentd } from '@headwater/testkit'
import { benchScenarios, memberCsv } from '../access-lines.ts'
import { checkCounts, type Expected } from '../complete-run.ts'
import { cpuSecondsOf } from '../cpu-time.ts'
import type { ScenarioCounts } from '../headwater-process.ts'
import { runCommand, type StageProcess, startStage } from './stage-process.ts'
import { newSystem, type Stores } from './stores.ts'

export interface PipelineOptions {
  stores: Stores
  partitions: number
  shipper: 'ship' | 'fluentd'
  /** The stages of each worker process: `['filter', 'stats']` is one process with two. */
  workers: readonly (readonly ('filter' | 'stats' | 'archive')[])[]
  scenarios: number
  members: number
  /** Each process leaves a profile in a folder of its name below this one. */
  profiles?: string | undefined
}

/** CPU seconds by process: its start, and all until now (the start too). */
export type CpuByProcess = ReadonlyMap<string, { start: number; total: number }>

/** The distributed mode between an access log and its stores, running. */
export interface Pipeline {
  /** Appends a file to the access log. */
  feed(file: string): Promise<void>
  /** Waits until so many events since the start, one outcome each, are counted in Redis and published in both tables. */
  untilComplete(events: number, timeoutMs: number): Promise<void>
  cpu(): CpuByProcess
  /** Compares Redis's counters and HDFS's files with what must be there. */
  check(expected: Expected): Promise<void>
  /** Ends all processes of the pipeline; removes its folder. */
  stop(): Promise<void>
}

interface Process {
  name: string
  startCpu: number
  cpu(): number
}

const COUNTED = 'headwater_stats_outcomes_total{result="counted"}'
const ARCHIVED = (table: string) => `headwater_archive_rows_total{table="${table}",result="archived"}`

/** Makes topics, tables, scenarios and members, and starts the shipper on an empty log and the workers. */
export async function startPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { stores, partitions, shipper, profiles } = options
  const { settings, root } = await newSystem(stores, partitions)
  const dir = mkdtempSync(join(tmpdir(), 'headwater-bench-'))
  const accessLog = join(dir, 'log', 'access.log')
  mkdirSync(join(dir, 'log'))
  writeFileSync(accessLog, '')
  const closing: (() => Promise<unknown>)[] = []
  const workers: StageProcess[] = []
  const processes: Process[] = []

  async function stop(): Promise<void> {
    const ended = await Promise.allSettled(closing.splice(0).map(close => close()))
    rmSync(dir, { recursive: true, force: true })
    for (const end of ended) if (end.status === 'rejected') throw end.reason
  }

  async function stage(name: string, args: readonly string[]): Promise<StageProcess> {
    const profile = profiles === undefined ? undefined : join(profiles, name)
    const started = await startStage(args, join(dir, name), settings, profile)
    closing.push(() => started.stop())
    processes.push({ name, startCpu: started.startCpu, cpu: () => cpuSecondsOf(started.pid) })
    return started
  }

  const command = (...args: string[]) => runCommand(args, join(dir, 'command'), settings)
  try {
    writeFileSync(join(dir, 'scenarios.json'), JSON.stringify(benchScenarios(options.scenarios)))
    writeFileSync(join(dir, 'members.csv'), memberCsv(options.members))
    await command('topics')
    await command('db', 'migrate')
    const files = [`scenarios.file=${join(dir, 'scenarios.json')}`, `members.file=${join(dir, 'members.csv')}`]
    await command('import', ...files.flatMap(file => ['--set', file]))
    if (shipper === 'ship') await stage('ship', ['ship', '--file', accessLog])
    else {
      const topic = `${settings.HEADWATER_TOPICS_PREFIX}access-log`
      const fluentd = await startFluentd({ log: accessLog, brokers: stores.kafka.bootstrap, topic })
      closing.push(() => fluentd.stop())
      const { pid } = fluentd
      processes.push({ name: 'Fluentd', startCpu: cpuSecondsOf(pid), cpu: () => cpuSecondsOf(pid) })
    }
    for (const [i, stages] of options.workers.entries()) {
      const name = stages.length === 1 ? (stages[0] as string) : `worker ${i + 1}`
      workers.push(await stage(name, ['worker', ...stages]))
    }
  } catch (error) {
    await stop().catch(() => {})
    throw error
  }

  async function done(): Promise<number[]> {
    const samples = await Promise.all(workers.map(worker => worker.metrics()))
    return [COUNTED, ARCHIVED('event_log'), ARCHIVED('scenario_log')].map(name =>
      samples.reduce((sum, metrics) => sum + (metrics.get(name) ?? 0), 0),
    )
  }

  return {
    feed: file => stream(createReadStream(file), createWriteStream(accessLog, { flags: 'a' })),
    async untilComplete(events, timeoutMs) {
      const deadline = performance.now() + timeoutMs
      for (;;) {
        const seen = await done()
        if (seen.every(count => count >= events)) return
        if (performance.now() > deadline)
          throw new Error(
            `${events} events must be counted and archived in ${timeoutMs} ms. Found: ${seen.join(', ')}.`,
          )
        await pause(events < 100_000 ? 100 : 500)
      }
    },
    cpu: () => new Map(processes.map(({ name, startCpu, cpu }) => [name, { start: startCpu, total: cpu() }])),
    async check(expected) {
      const copy = join(dir, 'archive')
      await downloadHdfs(stores.hdfs.nameNodeUrl, root, copy)
      const rows = JSON.parse(await command('stats', '--json')) as ScenarioCounts[]
      await checkCounts(rows, copy, expected)
    },
    stop,
  }
}
