import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type DistributedServices,
  type DistributedSystem,
  type KafkaProgress,
  kafkaProgress,
  newSystem,
} from '@headwater/testkit'
import { runHeadwater } from '../headwater-process.ts'
import { until } from '../until.ts'

/** A system of its own within the services, which all tests of a run share. */
export interface Tenant extends DistributedSystem {
  progress: KafkaProgress
  close(): Promise<void>
}

/** A fresh tenant with `partitions` partitions a topic, whose stages are quick to store. Nothing is made yet but its database. */
export async function newTenant(services: DistributedServices, partitions: number): Promise<Tenant> {
  const system = await newSystem(services, partitions)
  const progress = await kafkaProgress(services.kafka.bootstrap)
  return {
    ...system,
    settings: {
      ...system.settings,
      HEADWATER_KAFKA_SESSION_TIMEOUT_MS: '10000',
      HEADWATER_ARCHIVE_ROLL_EVERY_MS: '2000',
      HEADWATER_ARCHIVE_ROLL_IDLE_MS: '500',
      HEADWATER_STATS_APPLY_EVERY_MS: '300',
      HEADWATER_LOG_LEVEL: 'warn',
    },
    progress,
    close: () => progress.close(),
  }
}

/** Arguments that name the files of scenarios and members in a folder. */
export function filesIn(folder: string): string[] {
  const [scenarios, members] = [join(folder, 'scenarios.json'), join(folder, 'members.csv')]
  return ['--set', `scenarios.file=${scenarios}`, '--set', `members.file=${members}`]
}

const EXAMPLES = fileURLToPath(new URL('../../../examples/data', import.meta.url))

/** Makes a tenant's topics and tables, and imports the scenarios and members of a folder. */
export async function setUpTenant({ settings }: Tenant, dataDir: string, files: string = EXAMPLES): Promise<void> {
  for (const args of [['topics'], ['db', 'migrate'], ['import', ...filesIn(files)]])
    await runHeadwater(dataDir, settings, args)
}

/** The consumer group and the log of every stage, in the order records pass them. */
const STAGES = [
  ['filter', 'access-log'],
  ['stats', 'scenario-log'],
  ['archive-scenario-log', 'scenario-log'],
  ['archive-event-log', 'event-log'],
] as const

/** Waits until no stage has still to take and store a record. */
export async function allStored({ name, progress }: Tenant, timeoutMs = 60_000): Promise<void> {
  const unread = new Map<string, number>()
  const isStored = async (): Promise<true | undefined> => {
    for (const [group, log] of STAGES) unread.set(group, await progress.unread(`${name}-${group}`, `${name}-${log}`))
    return [...unread.values()].every(records => records === 0) || undefined
  }
  await until('every stage to store all there is', isStored, timeoutMs).catch(error => {
    throw new Error(`${error.message}; still to store: ${JSON.stringify([...unread])}`)
  })
}
