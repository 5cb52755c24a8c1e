import { setTimeout as pause } from 'node:timers/promises'
import { kafkaGroups } from '@headwater/testkit'
import { until } from '../until.ts'
import type { Fault, FaultContext, Stage } from './fault-round.ts'

/** Longer than `kafka.sessionTimeoutMs` of a tenant: whoever hangs for so long has lost its partitions. */
const BEYOND_SESSION_MS = 14_000

const killed = (stage: Stage): Fault => ({
  name: `the ${stage} worker is killed`,
  inject: ({ killWorker }) => killWorker(stage),
})

/** A service is killed, stays away for 1–4 s and comes back on its data. */
async function away(
  { random }: FaultContext,
  service: { kill(): Promise<void>; restart(): Promise<void> },
): Promise<void> {
  await service.kill()
  await pause(random.between(1000, 4000))
  await service.restart()
}

/** All that may happen to the parts of the distributed mode, a broker of several apart. */
export const FAULTS: readonly Fault[] = [
  killed('filter'),
  killed('stats'),
  killed('archive'),
  {
    name: 'a second worker of every stage joins, and one of the two is killed',
    async inject({ addWorker, random, killWorker }) {
      const second = await addWorker(['filter', 'stats', 'archive'])
      await pause(random.between(500, 3000))
      if (random.next() < 0.5) await second.kill()
      else {
        await killWorker(random.pick(['filter', 'stats', 'archive']))
        await pause(random.between(500, 3000))
        await second.stop()
      }
    },
  },
  { name: 'the shipper is killed', inject: ({ killShipper }) => killShipper() },
  {
    name: 'Redis is killed',
    inject: context => away(context, context.services.redis),
  },
  {
    name: 'MariaDB is killed',
    inject: context => away(context, context.services.mariadb),
  },
  {
    name: 'the DataNode is killed',
    inject: context => {
      const { hdfs } = context.services
      return away(context, { kill: () => hdfs.kill('dn'), restart: () => hdfs.restart('dn') })
    },
  },
  {
    name: 'the NameNode is killed while files are on their way',
    async inject(context) {
      const { hdfs } = context.services
      await uploadUnderWay(context)
      await away(context, { kill: () => hdfs.kill('nn'), restart: () => hdfs.restart('nn') })
    },
  },
  {
    name: 'the only broker is killed',
    inject: context => {
      const { kafka } = context.services
      return away(context, { kill: () => kafka.kill(1), restart: () => kafka.restart(1) })
    },
  },
  {
    name: 'an archive worker hangs beyond its session while a file is on its way, another takes over, the first wakes',
    async inject(context) {
      const zombie = context.worker('archive')
      await uploadUnderWay(context)
      zombie.pause()
      const other = await context.addWorker(['archive'])
      await pause(BEYOND_SESSION_MS)
      zombie.resume()
      await context.progressed()
      await pause(2000)
      await other.stop()
    },
  },
  {
    name: 'a filter and a stats worker hang beyond their session, others take over, they wake',
    async inject(context) {
      const zombies = [context.worker('filter'), context.worker('stats')]
      for (const zombie of zombies) zombie.pause()
      const other = await context.addWorker(['filter', 'stats'])
      await pause(BEYOND_SESSION_MS)
      for (const zombie of zombies) zombie.resume()
      await context.progressed()
      await pause(2000)
      await other.stop()
    },
  },
  {
    name: 'the committed offsets are deleted while no worker runs',
    async inject({ worker, killWorker, tenant, services }) {
      const stages = ['filter', 'stats', 'archive'] as const
      for (const stage of stages) await worker(stage).kill()
      await kafkaGroups(services.kafka.bootstrap).remove(tenant.name)
      for (const stage of stages) await killWorker(stage)
    },
  },
]

/** Resolves when a file has been uploaded and has not its final name yet. */
async function uploadUnderWay({ services: { hdfs }, tenant }: FaultContext): Promise<void> {
  const folder = `${hdfs.nameNodeUrl}/webhdfs/v1${tenant.root}/_tmp`
  const names = async (path: string): Promise<string[]> => {
    const answer = await fetch(`${path}?op=LISTSTATUS&user.name=headwater`)
    if (!answer.ok) return []
    const { FileStatuses } = (await answer.json()) as { FileStatuses: { FileStatus: { pathSuffix: string }[] } }
    return FileStatuses.FileStatus.map(({ pathSuffix }) => pathSuffix)
  }
  await until(
    'an upload under way',
    async () => {
      for (const table of await names(folder))
        if ((await names(`${folder}/${table}`)).some(name => name.includes('.parquet'))) return true
      return undefined
    },
    60_000,
  )
}
