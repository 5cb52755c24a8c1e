import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type DistributedServices, downloadHdfs } from '@headwater/testkit'
import { type HeadwaterProcess, runHeadwater, type Settings, startHeadwater } from '../headwater-process.ts'
import { keepForALook } from '../keep-for-a-look.ts'
import { metricsOf } from '../metrics-of.ts'
import { isClean, judgeRound, type RoundResult } from '../round-result.ts'
import { ROUND_MEMBERS, roundScenarios } from '../scenarios.ts'
import { type SeededRandom, seededRandom } from '../seeded-random.ts'
import { until } from '../until.ts'
import { startVisitors } from '../visitors.ts'
import { allStored, newTenant, setUpTenant, type Tenant } from './tenant.ts'

export type Stage = 'filter' | 'stats' | 'archive'

/** What a fault may do to the system while visitors click. */
export interface FaultContext {
  services: DistributedServices
  tenant: Tenant
  random: SeededRandom
  /** Kills the worker of a stage (SIGKILL) and starts another one. */
  killWorker(stage: Stage): Promise<void>
  /** A further worker, beside those that run. */
  addWorker(stages: readonly Stage[], settings?: Settings): Promise<HeadwaterProcess>
  /** The worker that runs a stage. */
  worker(stage: Stage): HeadwaterProcess
  /** Kills the shipper (SIGKILL) and starts it again. */
  killShipper(): Promise<void>
  /** Resolves when every stage has stored all there is; the visitors go on meanwhile. */
  progressed(): Promise<void>
}

/** One way for the system to suffer. `inject` ends when everything that it broke runs again. */
export interface Fault {
  name: string
  inject(context: FaultContext): Promise<void>
}

/**
 * One round: gateway → access log → shipper → Kafka → one worker a stage → Redis and HDFS, visitors clicking all the time.
 * The faults are injected one after the other; then all is read to the end, and the archive as HDFS has it, the counters and
 * the visitors' memory must agree.
 */
export async function faultRound(
  services: DistributedServices,
  faults: readonly Fault[],
  seed: number,
  say: (sentence: string) => void = console.log,
): Promise<RoundResult> {
  const random = seededRandom(seed)
  const dir = await mkdtemp(join(tmpdir(), 'headwater-fault-'))
  const tenant = await newTenant(services, 3)
  const { settings } = tenant
  const folder = (name: string) => join(dir, name)
  await writeFile(folder('scenarios.json'), JSON.stringify(roundScenarios()))
  await writeFile(folder('members.csv'), ROUND_MEMBERS)
  await setUpTenant(tenant, folder('command'), dir)

  const running = new Set<HeadwaterProcess>()
  let started = 0
  const start = async (args: readonly string[], data: string, more: Settings = {}): Promise<HeadwaterProcess> => {
    const process = await startHeadwater(folder(data), { ...settings, ...more }, args)
    running.add(process)
    return process
  }
  const kill = async (process: HeadwaterProcess): Promise<void> => {
    running.delete(process)
    await process.kill()
  }
  const newWorker = (stages: readonly Stage[], more: Settings = {}) =>
    start(['worker', ...stages], `worker-${++started}`, more)
  try {
    const gateway = await start(['gateway'], 'edge')
    const ship = () => start(['ship', '--file', join(folder('edge'), 'log', 'access.log')], 'ship')
    let shipper = await ship()
    const workers = new Map<Stage, HeadwaterProcess>()
    for (const stage of ['filter', 'stats', 'archive'] as const) workers.set(stage, await newWorker([stage]))
    const worker = (stage: Stage): HeadwaterProcess => workers.get(stage) as HeadwaterProcess
    const visitors = startVisitors({
      random,
      connections: 4,
      pauseMs: 20,
      port: () => gateway.ports.gateway,
    })
    const context: FaultContext = {
      services,
      tenant,
      random,
      worker,
      addWorker: (stages, more) => newWorker(stages, more),
      async killWorker(stage) {
        await kill(worker(stage))
        workers.set(stage, await newWorker([stage]))
      },
      async killShipper() {
        await kill(shipper)
        shipper = await ship()
      },
      async progressed() {
        const before = visitors.acknowledged.size
        await until(
          'the visitors and the archive to get on',
          async () =>
            visitors.acknowledged.size > before && (await tenant.progress.records(`${tenant.name}-event-log`)) > 0
              ? true
              : undefined,
          60_000,
        )
      },
    }
    await context.progressed()
    for (const fault of faults) {
      await pause(random.between(200, 1500))
      say(`${fault.name} (${visitors.acknowledged.size} events acknowledged)`)
      await fault.inject(context)
      await context.progressed()
    }
    await pause(500)
    await visitors.stop()
    await gateway.stop()
    running.delete(gateway)
    await until(
      'the shipper to send all there is',
      async () => (await metricsOf(shipper.ports.metrics)).get('headwater_tailer_lag_bytes') === 0 || undefined,
      120_000,
    )
    await shipper.stop()
    running.delete(shipper)
    await allStored(tenant, 180_000)
    for (const process of running) {
      if (!process.isAlive()) continue
      const code = await process.stop()
      running.delete(process)
      if (code !== 0) throw new Error(`a worker ended with ${code} after SIGTERM:\n${process.output()}`)
    }

    await downloadHdfs(services.hdfs.nameNodeUrl, tenant.root, join(folder('copy'), 'archive'))
    const result = await judgeRound({
      seed,
      kills: faults.length,
      visitors,
      scenarioEdits: 0,
      query: async sql => JSON.parse(await runHeadwater(folder('copy'), {}, ['query', '--json', sql])) as unknown[],
      counters: JSON.parse(await runHeadwater(folder('command'), settings, ['stats', '--json', '--all-versions'])),
    })
    if (isClean(result)) await rm(dir, { recursive: true })
    else await keepForALook(dir, `, tenant ${tenant.name}`)
    return result
  } finally {
    for (const process of running) await process.kill()
    await tenant.close()
  }
}
