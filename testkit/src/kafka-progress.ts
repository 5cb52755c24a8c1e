import { type Admin, Kafka, logLevel } from 'kafkajs'

/** Looks at a cluster from outside, as an operator's tool does. */
export interface KafkaProgress {
  /** Records of a topic, all partitions together; 0 while nobody can tell. */
  records(topic: string): Promise<number>
  /** Records of a topic behind what the group has committed, all partitions together; Infinity while nobody can tell. */
  unread(group: string, topic: string): Promise<number>
  close(): Promise<void>
}

/** Opens a view of the cluster at `bootstrap`. */
export async function kafkaProgress(bootstrap: readonly string[]): Promise<KafkaProgress> {
  const client = new Kafka({ brokers: [...bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 20 } })
  const admin: Admin = client.admin()
  await admin.connect()
  return {
    async records(topic) {
      const ends = await admin.fetchTopicOffsets(topic).catch(() => [])
      return ends.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0)
    },
    async unread(group, topic) {
      const ends = await admin.fetchTopicOffsets(topic).catch(() => undefined)
      if (ends === undefined) return Number.POSITIVE_INFINITY
      // A coordinator that is loading, or was somewhere else until now.
      const found = await admin.fetchOffsets({ groupId: group, topics: [topic] }).then(
        ([first]) => first,
        () => undefined,
      )
      if (found === undefined) return Number.POSITIVE_INFINITY
      const committed = new Map(found.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
      return ends.reduce((sum, { partition, high, low }) => {
        // −1: never committed; −2: the client library's mark for "from the beginning".
        const at = committed.get(partition) ?? -1
        return sum + Math.max(0, Number(high) - (at < 0 ? Number(low) : at))
      }, 0)
    },
    close: () => admin.disconnect(),
  }
}

/** What an operator's tool may do to consumer groups. */
export function kafkaGroups(bootstrap: readonly string[]): { remove(prefix: string): Promise<number> } {
  return {
    /** Deletes the groups whose names begin with `prefix-`, and their offsets; waits until their dead members are given up. */
    async remove(prefix) {
      const client = new Kafka({ brokers: [...bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 20 } })
      const admin = client.admin()
      await admin.connect()
      try {
        const groups = (await admin.listGroups()).groups
          .map(({ groupId }) => groupId)
          .filter(groupId => groupId.startsWith(`${prefix}-`))
        for (let deadline = Date.now() + 60_000; ; ) {
          const { groups: found } = await admin.describeGroups(groups)
          if (found.every(({ state }) => state === 'Empty' || state === 'Dead')) break
          if (Date.now() > deadline) throw new Error(`groups of ${prefix} still have members`)
          await new Promise(resolve => setTimeout(resolve, 200))
        }
        await admin.deleteGroups(groups)
        return groups.length
      } finally {
        await admin.disconnect()
      }
    },
  }
}
