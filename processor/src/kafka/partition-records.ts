import { AssignerProtocol, type KafkaMessage } from 'kafkajs'
import type { PartitionId, Position } from '../ports.ts'
import type { KafkaConnection } from './kafka-connection.ts'
import { kafkaError } from './kafka-error.ts'

/** What the fetcher hands over, until it is taken. */
interface Delivery {
  messages: readonly KafkaMessage[]
  from: Position
  to: Position
  taken(): void
}

/**
 * The records of one partition within a range, without a share in any group's work. kafkajs can only read as a member of a
 * group, so this is one of its own for a single member, who assigns itself the one partition. Nothing is committed; the
 * group vanishes with its member.
 */
export class PartitionRecords {
  readonly #consumer: ReturnType<KafkaConnection['consumer']>
  readonly #topic: string
  readonly #partition: PartitionId
  readonly #groupId: string
  /** Where the reading now under way stands. */
  #position: Position = 0
  #wanted: ((delivery: Delivery) => void) | undefined
  #crashed: (error: unknown) => void = () => {}
  readonly #crash: Promise<never>

  /** `group` names the one on whose behalf it is read: rights by prefix then cover both. */
  constructor(kafka: KafkaConnection, topic: string, partition: PartitionId, group: string) {
    this.#topic = topic
    this.#partition = partition
    this.#groupId = `${group}-${topic}-${partition}-${process.pid}-${Math.random().toString(36).slice(2, 10)}`
    this.#consumer = kafka.consumer({
      groupId: this.#groupId,
      maxWaitTimeInMs: 100,
      sessionTimeout: 30_000,
      heartbeatInterval: 3_000,
      partitionAssigners: [
        () => ({
          name: 'HeadwaterOnePartition',
          version: 1,
          protocol({ topics }) {
            const userData = Buffer.alloc(0)
            return {
              name: this.name,
              metadata: AssignerProtocol.MemberMetadata.encode({ version: 1, topics, userData }),
            }
          },
          async assign({ members }) {
            const assignment = { [topic]: [partition] }
            const userData = Buffer.alloc(0)
            const memberAssignment = AssignerProtocol.MemberAssignment.encode({ version: 1, assignment, userData })
            return members.map(({ memberId }) => ({ memberId, memberAssignment }))
          },
        }),
      ],
    })
    this.#crash = new Promise<never>((_, reject) => {
      this.#crashed = reject
    })
    this.#crash.catch(() => {})
  }

  async open(): Promise<void> {
    const consumer = this.#consumer
    try {
      consumer.on(consumer.events.CRASH, ({ payload }) => this.#crashed(payload.error))
      await consumer.connect()
      await consumer.subscribe({ topics: [this.#topic], fromBeginning: true })
      const run = consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
          const from = Number(batch.firstOffset())
          const to = Number(batch.lastOffset()) + 1
          // Whatever is fetched while nobody reads stays unresolved, and comes again.
          if (this.#wanted === undefined || this.#position < from || this.#position >= to) {
            consumer.seek({ topic: this.#topic, partition: this.#partition, offset: String(this.#position) })
            await new Promise(resolve => setTimeout(resolve, 20))
            return
          }
          const pulse = setInterval(() => heartbeat().catch(() => {}), 3_000)
          try {
            await new Promise<void>(taken => this.#wanted?.({ messages: batch.messages, from, to, taken }))
          } finally {
            clearInterval(pulse)
          }
          resolveOffset(batch.lastOffset())
          await heartbeat()
        },
      })
      await Promise.race([run, this.#crash])
    } catch (error) {
      await this.close()
      throw kafkaError(error, `${this.#topic} is read`)
    }
  }

  /** Records with offsets in [from, to), fetch by fetch. `to` must not lie behind the end of the log. One call at a time. */
  async *read(from: Position, to: Position, waitMs = 60_000): AsyncGenerator<readonly KafkaMessage[]> {
    this.#position = from
    if (from < to) this.#consumer.seek({ topic: this.#topic, partition: this.#partition, offset: String(from) })
    let delivery: Delivery | undefined
    try {
      while (this.#position < to) {
        delivery = await this.#next(waitMs)
        const within = delivery.messages.filter(({ offset }) => Number(offset) >= this.#position && Number(offset) < to)
        this.#position = delivery.to
        yield within
        delivery.taken()
        delivery = undefined
      }
    } finally {
      delivery?.taken()
    }
  }

  async close(): Promise<void> {
    this.#wanted = undefined
    const limit = new Promise(resolve => setTimeout(resolve, 5_000).unref())
    await Promise.race([this.#consumer.disconnect().catch(() => {}), limit])
  }

  async #next(waitMs: number): Promise<Delivery> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(kafkaError({ message: `nothing within ${waitMs} ms` }, this.#topic)), waitMs)
    })
    try {
      const delivered = new Promise<Delivery>(resolve => {
        this.#wanted = resolve
      })
      return await Promise.race([delivered, this.#crash, late])
    } catch (error) {
      throw kafkaError(error, `${this.#topic} ${this.#partition} is read from ${this.#position}`)
    } finally {
      this.#wanted = undefined
      clearTimeout(timer)
    }
  }
}
