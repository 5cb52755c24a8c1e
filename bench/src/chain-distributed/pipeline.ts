import { createReadStream, createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline as stream } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { type DistributedServices, downloadHdfs, newSystem, startFluentd } from '@headwater/testkit'
import { benchScenarios, memberCsv } from '../access-lines.ts'
import { checkCounts, type Expected, untilComplete } from '../complete-run.ts'
import { cpuSecondsOf } from '../cpu-time.ts'
import {
  type HeadwaterProcess,
  runCommand,
  type ScenarioCounts,
  type Settings,
  startCommand,
} from '../headwater-process.ts'

export interface PipelineOptions {
  stores: DistributedServices
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

/** Makes topics, tables, scenarios and members, and starts the shipper on an empty log and the workers. */
export async function startPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { stores, partitions, shipper, profiles } = options
  const system = await newSystem(stores, partitions)
  // The last rows need not wait for the usual half minute of silence.
  const settings: Settings = { ...system.settings, HEADWATER_ARCHIVE_ROLL_IDLE_MS: '1000' }
  const dir = mkdtempSync(join(tmpdir(), 'headwater-bench-'))
  const accessLog = join(dir, 'log', 'access.log')
  mkdirSync(join(dir, 'log'))
  writeFileSync(accessLog, '')
  const closing: (() => Promise<unknown>)[] = []
  const workers: HeadwaterProcess[] = []
  const processes: Process[] = []

  async function stop(): Promise<void> {
    const ended = await Promise.allSettled(closing.splice(0).map(close => close()))
    rmSync(dir, { recursive: true, force: true })
    for (const end of ended) if (end.status === 'rejected') throw end.reason
  }

  async function stage(name: string, args: readonly string[]): Promise<HeadwaterProcess> {
    const profile = profiles === undefined ? undefined : join(profiles, name)
    const started = await startCommand(args, join(dir, name), settings, profile)
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

  /** All workers' samples, added up. */
  async function metrics(): Promise<Map<string, number>> {
    const sums = new Map<string, number>()
    for (const samples of await Promise.all(workers.map(worker => worker.metrics())))
      for (const [name, value] of samples) sums.set(name, (sums.get(name) ?? 0) + value)
    return sums
  }

  /** The counters in Redis. What is counted is stored a moment later, some seconds on a busy machine. */
  async function storedCounts(expected: Expected): Promise<ScenarioCounts[]> {
    const total = [...expected.values()].reduce((sum, each) => sum + each.total, 0)
    for (const deadline = performance.now() + 60_000; ; await pause(1_000)) {
      const rows = JSON.parse(await command('stats', '--json')) as ScenarioCounts[]
      if (rows.reduce((sum, row) => sum + row.total_count, 0) >= total || performance.now() > deadline) return rows
    }
  }

  return {
    feed: file => stream(createReadStream(file), createWriteStream(accessLog, { flags: 'a' })),
    untilComplete: (events, timeoutMs) => untilComplete({ metrics }, events, timeoutMs),
    cpu: () => new Map(processes.map(({ name, startCpu, cpu }) => [name, { start: startCpu, total: cpu() }])),
    async check(expected) {
      const copy = join(dir, 'archive')
      await downloadHdfs(stores.hdfs.nameNodeUrl, system.root, copy)
      await checkCounts(await storedCounts(expected), copy, expected)
    },
    stop,
  }
}
