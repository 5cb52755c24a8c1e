import type { KafkaConnection } from '@headwater/processor/distributed'

/** How a consumer group stands to a topic. */
export interface GroupProgress {
  /** Records that are there and not committed. */
  behind: number
  /** Records that retention deleted before they were committed. */
  lost: number
  members: number
}

/** `ends`: count only records before these offsets, by partition. Default: all. */
export function groupProgress(
  kafka: KafkaConnection,
  groupId: string,
  topic: string,
  ends?: ReadonlyMap<number, number>,
): Promise<GroupProgress> {
  return kafka.admin('Committed offsets are read', async admin => {
    const edges = await admin.fetchTopicOffsets(topic)
    const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] })
    const at = new Map(committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
    let behind = 0
    let lost = 0
    for (const { partition, low, high } of edges) {
      const offset = at.get(partition) ?? -1
      const end = ends === undefined ? Number(high) : (ends.get(partition) ?? 0)
      behind += Math.max(0, end - Math.max(offset, Number(low)))
      if (offset >= 0) lost += Math.max(0, Number(low) - offset)
    }
    const members = (await admin.describeGroups([groupId])).groups[0]?.members.length ?? 0
    return { behind, lost, members }
  })
}

/** By partition, the offset behind the last record that is there now. */
export function topicEnds(kafka: KafkaConnection, topic: string): Promise<ReadonlyMap<number, number>> {
  return kafka.admin(
    'The ends of a topic are read',
    async admin =>
      new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)])),
  )
}
