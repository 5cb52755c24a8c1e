import {
  type Consumer as Client,
  type EachBatchPayload,
  type KafkaMessage,
  type OffsetsByTopicPartition,
  PartitionAssigners,
} from 'kafkajs'
import type { Logger } from 'pino'
import { ProcessorError } from '../errors.ts'
import { GIVEN_UP, insist, type ReaderHealth } from '../insist.ts'
import type { KafkaMetrics } from '../metrics.ts'
import type { Assignment, Consumer, PartitionId, Position, Reader } from '../ports.ts'
import { answerWithin } from './answer-within.ts'
import { CommitQueue } from './commit-queue.ts'
import type { KafkaConnection } from './kafka-connection.ts'
import { kafkaError, kafkaErrorType } from './kafka-error.ts'
import { nextMessages } from './next-messages.ts'
import { PartitionLane } from './partition-lane.ts'
import { ReaderLag } from './reader-lag.ts'
import { stickyAssigner } from './sticky-assigner.ts'
import { type Edges, TopicEdges } from './topic-edges.ts'

export interface KafkaReaderOptions {
  kafka: KafkaConnection
  topic: string
  group: string
  /** This process among the group's members; the same after a restart. Default: the group's name and the pid. */
  memberName?: string
  metrics: KafkaMetrics
  log: Logger
  /** The brokers give our partitions away after so long without a heartbeat. Default 30 000. */
  sessionTimeoutMs?: number
  /** How long the others wait for us in a rebalance. Default 60 000. */
  rebalanceTimeoutMs?: number
  /** Default 3 000. */
  heartbeatMs?: number
  /** How long the broker may wait for records: joins and stops take as long. Default 250. */
  fetchWaitMs?: number
  /** Limits of one batch handed over. Default 1 MiB of values and 8 192 records. */
  maxBatchBytes?: number
  maxBatchRecords?: number
  /** Longest time between two ticks while there is nothing to take. Default 500. */
  tickMs?: number
  /** Between two looks at the log's ends. Default 30 000. */
  watchMs?: number
  /** Between two commits. Default 250. */
  commitEveryMs?: number
  /** A position that stays behind the end of the log for so long ends the run. Default 30 000. */
  beyondEndMs?: number
  /** After `stop` it goes on to the end of what was there, for at most this long. Default 0: it stops at once. */
  drainMs?: number
  /** How long `revoked` may fail, and the client may take to leave, after that. Default 10 000. */
  leaveMs?: number
  minPauseMs?: number
  maxPauseMs?: number
}

/** What a reader makes of the records that it hands over. */
export type BatchOf<Batch> = (
  partition: PartitionId,
  from: Position,
  to: Position,
  messages: readonly KafkaMessage[],
) => Batch

/** More than any topic has: a stuck partition must not take the place of another one. */
const CONCURRENCY = 64
/** Between two looks for an end that a broker does not know yet. */
const LOOK_AGAIN_MS = 600
/** Crashes that go on for so long are an error in the log, not a warning. */
const ALARM_MS = 60_000
/** Without an answer to a heartbeat for so long, the reader is paused. */
const SILENT_MS = 15_000
/** A client that has lived for so long without a record is well. */
const WELL_MS = 20_000

/**
 * A member of a consumer group that reads one topic, as `Reader.run` promises.
 *
 *   joining ─GROUP_JOIN▶ reading ⇄ rebalancing (GROUP_JOIN again);  any ─CRASH▶ joining with a new client;  stop ▶ left
 *
 * The consumer's position counts, not the client's: each batch's first offset is compared with it, and the client seeks
 * where it differs. So whatever kafkajs does with offsets (it goes back to the committed one after every join, and to the
 * beginning, writing −2 over what was committed, when an offset is out of range) costs a fetch, no record. A partition that
 * stays ours under the same member id keeps its lane, and with it what the consumer holds.
 *
 * While a call waits for a store, heartbeats go on, so that a long pause costs no membership; when the group wants to
 * rebalance, the call is given up, the join goes ahead, and the same batch is taken again.
 */
export class KafkaReader<Batch> implements Reader<Batch> {
  readonly #options: Required<Omit<KafkaReaderOptions, 'minPauseMs' | 'maxPauseMs'>> & KafkaReaderOptions
  readonly #batchOf: BatchOf<Batch>
  readonly #lanes = new Map<PartitionId, PartitionLane<Batch>>()
  /** Lanes that are being closed; the partition's next lane begins behind them. */
  readonly #closing = new Map<PartitionId, Promise<unknown>>()
  readonly #commits: CommitQueue
  readonly #joining: ReaderHealth = { pausedSince: undefined }
  readonly #lag: ReaderLag
  readonly #edges: TopicEdges
  #client: Client | undefined
  #memberId: string | undefined
  /** Commits through the group of the client at hand, without a retrier that asks a coordinator long gone. */
  #commitOffsets: ((offsets: OffsetsByTopicPartition) => Promise<void>) | undefined
  #consumer: Consumer<Batch> | undefined
  /** Unix ms of the first crash since records were last taken, or since a client lived for a while. */
  #crashedSince: number | undefined
  /** Unix ms of the coordinator's last answer to this client; a client without one tries to reach it for a long time. */
  #heardAt: number | undefined
  #isStopping = false
  #isLooking = false
  #failure: { error: unknown } | undefined
  #wake: () => void = () => {}
  #endJoin: () => void = () => {}

  constructor(options: KafkaReaderOptions, batchOf: BatchOf<Batch>) {
    const defaults = {
      memberName: `${options.group}-${process.pid}`,
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 60_000,
      heartbeatMs: 3_000,
      fetchWaitMs: 250,
      maxBatchBytes: 1024 * 1024,
      maxBatchRecords: 8_192,
      tickMs: 500,
      watchMs: 30_000,
      commitEveryMs: 250,
      beyondEndMs: 30_000,
      drainMs: 0,
      leaveMs: 10_000,
    }
    this.#options = { ...defaults, ...options }
    this.#batchOf = batchOf
    const { kafka, topic, group, metrics, log } = options
    this.#lag = new ReaderLag(group, metrics)
    this.#edges = new TopicEdges(kafka, topic)
    const send = (positions: ReadonlyMap<PartitionId, Position>): Promise<void> => this.#sendCommit(positions)
    this.#commits = new CommitQueue({ group, send, everyMs: this.#options.commitEveryMs, metrics, log })
  }

  /** Since when a call or the way into the group has been failing; the longest. */
  readonly health: Readonly<ReaderHealth> = Object.defineProperty({} as ReaderHealth, 'pausedSince', {
    get: () => {
      const all = [this.#joining, ...[...this.#lanes.values()].map(lane => lane.health)]
      const isSilent = this.#heardAt !== undefined && Date.now() - this.#heardAt > SILENT_MS
      const since = [
        isSilent ? this.#heardAt : undefined,
        this.#crashedSince,
        ...all.map(({ pausedSince }) => pausedSince),
      ].filter(at => at !== undefined)
      return since.length === 0 ? undefined : Math.min(...since)
    },
  })

  /** Records behind our positions, and the greatest age of a last record taken; over the partitions that are ours. */
  lag(): { records: number; seconds: number } {
    return this.#lag.all()
  }

  /** Which partitions are ours now. */
  partitions(): PartitionId[] {
    return [...this.#lanes.keys()].sort((a, b) => a - b)
  }

  async commit(partition: PartitionId, position: Position): Promise<void> {
    // What is stored while a partition is given back may stand behind what its new owner has committed.
    if (this.#lanes.has(partition) || this.#isStopping) this.#commits.add(partition, position)
  }

  async run(consumer: Consumer<Batch>, stop: AbortSignal): Promise<void> {
    const { group, topic, drainMs, leaveMs, watchMs, minPauseMs = 100, maxPauseMs = 5_000, log } = this.#options
    this.#consumer = consumer
    this.#isStopping = false
    this.#failure = undefined
    const stopped = (): void => {
      this.#wake()
      this.#endJoin()
    }
    stop.addEventListener('abort', stopped)
    const watch = setInterval(() => void this.#watch(), watchMs)
    const drain = { deadline: Number.POSITIVE_INFINITY }
    let pauseMs = minPauseMs
    try {
      while (this.#failure === undefined && !(stop.aborted && drainMs === 0)) {
        const crash = await this.#session(stop, drain)
        if (crash === undefined) break
        // It may join and crash again and again: without the right to read, say.
        if (this.#crashedSince === undefined) pauseMs = minPauseMs
        this.#crashedSince ??= Date.now()
        const level = Date.now() - this.#crashedSince > ALARM_MS ? 'error' : 'warn'
        log[level]({ group, topic, err: crash }, 'The reader joins its group again with a new client')
        await this.#sleep(pauseMs)
        pauseMs = Math.min(pauseMs * 2, maxPauseMs)
      }
    } finally {
      clearInterval(watch)
      stop.removeEventListener('abort', stopped)
      this.#isStopping = true
      await this.#leave(leaveMs)
    }
    if (this.#failure !== undefined) throw (this.#failure as { error: unknown }).error
  }

  /** One client's life. Resolves with what ended it, or `undefined` when the run is to end. */
  async #session(stop: AbortSignal, drain: { deadline: number }): Promise<unknown> {
    const { drainMs, group, topic, metrics, log } = this.#options
    const crash: { error?: unknown } = {}
    const isOver = (): boolean => {
      if (stop.aborted) drain.deadline = Math.min(drain.deadline, performance.now() + drainMs)
      return this.#failure !== undefined || performance.now() >= drain.deadline
    }
    const joined = await insist('join', () => this.#join(crash), {
      ...this.#options,
      partition: -1,
      name: `${group} of ${topic}`,
      log,
      health: this.#joining,
      isOver: () => isOver() || (stop.aborted && drainMs === 0),
      pause: ms => this.#sleep(ms),
    }).catch(error => {
      this.#failure = { error }
      return GIVEN_UP
    })
    if (joined === GIVEN_UP) return undefined
    const joinedAt = performance.now()
    let drainTo: ReadonlyMap<PartitionId, Edges> | undefined
    while (!isOver()) {
      if (performance.now() - joinedAt > WELL_MS) this.#crashedSince = undefined
      if (crash.error !== undefined) {
        metrics.clientFailures.inc({ client: 'consumer' })
        await this.#dropClient()
        const error = kafkaError(crash.error, `${topic} is read`)
        if (error.retryable) return error
        this.#failure = { error }
        return undefined
      }
      if (!stop.aborted) {
        void this.#lookForMember(crash)
        await this.#sleep(1_000)
        continue
      }
      if (drainTo === undefined) {
        drainTo = await this.#edges.getNow().catch(() => undefined)
      }
      const lanes = [...this.#lanes.values()]
      const isDrained = (lane: PartitionLane<Batch>): boolean =>
        lane.isOpen && lane.position >= (drainTo?.get(lane.partition)?.high ?? Number.POSITIVE_INFINITY)
      if (drainTo !== undefined && lanes.every(isDrained)) break
      await this.#sleep(20)
    }
    return undefined
  }

  /**
   * A client whose calls are never answered again (`answerWithin`) hangs for good while the group gives its partitions to others, or to
   * nobody. So one that was silent for longer than any session and rebalance may last is looked for in its group.
   */
  async #lookForMember(crash: { error?: unknown }): Promise<void> {
    const { kafka, group, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options
    const heardAt = this.#heardAt
    if (heardAt === undefined || this.#isLooking) return
    if (Date.now() - heardAt < sessionTimeoutMs + rebalanceTimeoutMs) return
    this.#isLooking = true
    try {
      const { groups } = await kafka.admin(`The members of ${group} are read`, admin => admin.describeGroups([group]))
      const isMember = groups[0]?.members.some(({ memberId }) => memberId === this.#memberId) ?? false
      if (!isMember && this.#heardAt === heardAt)
        crash.error ??= new Error(`no heartbeat for ${Date.now() - heardAt} ms, and the group has no such member`)
      this.#wake()
    } catch {
      // The brokers are away: the client waits for them, as it should.
    } finally {
      this.#isLooking = false
    }
  }

  /** Resolves when the group has dealt out its partitions for the first time. */
  async #join(crash: { error?: unknown }): Promise<void> {
    const { kafka, group, topic, memberName } = this.#options
    const { sessionTimeoutMs, rebalanceTimeoutMs, heartbeatMs, fetchWaitMs, drainMs } = this.#options
    const owned = (): ReadonlyMap<PartitionId, number> =>
      new Map([...this.#lanes.values()].map(lane => [lane.partition, lane.since]))
    const doing = `${topic} is to be read by the group ${group}`
    await kafka.admin(doing, admin => admin.fetchTopicMetadata({ topics: [topic] }))
    const client = kafka.consumer({
      groupId: group,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      heartbeatInterval: heartbeatMs,
      maxWaitTimeInMs: fetchWaitMs,
      // The first that all members know is used: a member of a release without ours can still join.
      partitionAssigners: [stickyAssigner({ name: memberName, owned }), PartitionAssigners.roundRobin],
    })
    this.#client = client
    this.#commitOffsets = undefined
    const failed = new Promise<never>((_, reject) => {
      client.on(client.events.CRASH, ({ payload }) => {
        crash.error ??= payload.error
        this.#wake()
        reject(payload.error)
      })
    })
    failed.catch(() => {})
    client.on(client.events.HEARTBEAT, () => {
      this.#heardAt = Date.now()
    })
    client.on(client.events.GROUP_JOIN, ({ payload }) => {
      this.#heardAt = Date.now()
      if (client !== this.#client || this.#isStopping) return
      // Before anything is awaited: kafkajs fetches for the new generation as soon as this listener returns.
      this.#assign(payload.memberId, payload.memberAssignment[topic] ?? [])
      this.#wake()
    })
    try {
      await answerWithin(kafka.callTimeoutMs, client.connect())
      await answerWithin(kafka.callTimeoutMs, client.subscribe({ topics: [topic], fromBeginning: true }))
      const run = client.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: CONCURRENCY,
        eachBatch: payload => this.#eachBatch(client, payload),
      })
      // The others of the group may let us wait for as long as a rebalance takes.
      const isStopped = new Promise<void>(resolve => {
        if (drainMs === 0) this.#endJoin = resolve
      })
      await answerWithin(rebalanceTimeoutMs + kafka.callTimeoutMs, Promise.race([run, failed, isStopped]))
    } catch (error) {
      delete crash.error
      await this.#dropClient()
      throw kafkaError(error, doing)
    }
  }

  #assign(memberId: string, partitions: readonly PartitionId[]): void {
    const { group, topic, leaveMs, metrics, log } = this.#options
    const isKnown = memberId === this.#memberId
    this.#memberId = memberId
    metrics.joins.inc({ group })
    for (const lane of this.#lanes.values()) {
      if (isKnown && partitions.includes(lane.partition)) {
        lane.proceed()
        if (!lane.isOpen) void this.#begin(lane)
      } else {
        this.#closeLane(lane, leaveMs)
        this.#commits.drop(lane.partition)
      }
    }
    for (const partition of partitions) if (!this.#lanes.has(partition)) this.#openLane(partition)
    log.info({ group, topic, partitions: this.partitions() }, 'Partitions are assigned')
  }

  #openLane(partition: PartitionId): void {
    const { group, topic, tickMs, minPauseMs, maxPauseMs, log } = this.#options
    const lane: PartitionLane<Batch> = new PartitionLane(
      {
        partition,
        name: `${group} of ${topic}`,
        consumer: this.#consumer!,
        assignment: () => this.#assignment(partition),
        // Commits that were on their way when the partition was given back: nothing may be left to read that would renew them.
        begins: (position, { committed = 0, end }) => {
          if (position > committed && position <= end) this.#commits.add(partition, position)
        },
        tickMs,
        minPauseMs,
        maxPauseMs,
        failed: error => this.#fail(error),
        moved: () => void this.#settle(lane),
        log,
      },
      this.#closing.get(partition),
    )
    this.#lanes.set(partition, lane)
    void this.#begin(lane)
  }

  async #begin(lane: PartitionLane<Batch>): Promise<void> {
    await lane.open()
    if (lane.isOpen) await this.#settle(lane)
    this.#wake()
  }

  #closeLane(lane: PartitionLane<Batch>, limitMs: number): void {
    const { partition } = lane
    this.#lanes.delete(partition)
    this.#lag.drop(partition)
    const closed = lane.close(limitMs).then(() => {
      if (this.#closing.get(partition) === closed) this.#closing.delete(partition)
    })
    this.#closing.set(partition, closed)
  }

  async #assignment(partition: PartitionId): Promise<Assignment> {
    const { kafka, group, topic } = this.#options
    const [edges, [found]] = await Promise.all([
      this.#edges.get(),
      kafka.admin(`Committed offsets of ${group} are read`, admin =>
        admin.fetchOffsets({ groupId: group, topics: [topic] }),
      ),
    ])
    const { low, high } = edges.get(partition) ?? { low: 0, high: 0 }
    // A negative offset is none: never committed, or written over by kafkajs when it was thrown back to the beginning.
    const stored = Number(found?.partitions.find(it => it.partition === partition)?.offset ?? -1)
    const committed = Math.max(stored, this.#commits.wanted(partition) ?? -1)
    return { partition, committed: committed < 0 ? undefined : committed, oldest: low, end: high }
  }

  /** Makes the client read at the lane's position, which may have been deleted, or never have been there. */
  async #settle(lane: PartitionLane<Batch>): Promise<void> {
    const { beyondEndMs, topic, group, log } = this.#options
    const { partition } = lane
    const topicPartition = [{ topic, partitions: [partition] }]
    let beyondSince: number | undefined
    while (lane.isOpen && this.#lanes.get(partition) === lane && !this.#isStopping) {
      let edges: Edges | undefined
      try {
        edges = (await this.#edges.get()).get(partition)
      } catch {
        await new Promise(resolve => setTimeout(resolve, 500))
        continue
      }
      if (edges === undefined) return
      this.#skipLost(lane, edges.low)
      if (lane.position <= edges.high) {
        this.#tryClient(client => client.seek({ topic, partition, offset: String(lane.position) }))
        if (beyondSince !== undefined) this.#tryClient(client => client.resume(topicPartition))
        lane.health.pausedSince = undefined
        return
      }
      // A broker that has just taken over may not know the end yet. Seeking there would throw the client back to the
      // beginning, and it would write −2 over what is committed: so nothing is read until the end is known.
      this.#tryClient(client => client.pause(topicPartition))
      if (beyondSince === undefined) {
        beyondSince = Date.now()
        lane.health.pausedSince ??= beyondSince
        log.warn(
          { group, topic, partition, position: lane.position, end: edges.high },
          'The log ends before the position',
        )
      } else if (Date.now() - beyondSince >= beyondEndMs) {
        return this.#fail(
          new ProcessorError(
            'POSITION_BEYOND_END',
            `${topic} ${partition} was made anew: its end must not lie before the position ${lane.position} of ${group}. ` +
              `Raise \`topics.generation\` and delete the group's offsets. Found: end ${edges.high}.`,
          ),
        )
      }
      await new Promise(resolve => setTimeout(resolve, LOOK_AGAIN_MS))
    }
  }

  /** Records that retention deleted before they were read are lost: said, counted, passed over. */
  #skipLost(lane: PartitionLane<Batch>, low: Position): void {
    const { position, partition } = lane
    if (position >= low) return
    const { group, topic, metrics, log } = this.#options
    metrics.lostRecords.inc({ group }, low - position)
    log.error({ group, topic, partition, from: position, to: low }, 'Retention deleted records before they were read')
    lane.skipTo(low)
  }

  async #eachBatch(client: Client, payload: EachBatchPayload): Promise<void> {
    const { heartbeatMs } = this.#options
    const { callTimeoutMs } = this.#options.kafka
    const { batch, resolveOffset, heartbeat } = payload
    const lane = this.#lanes.get(batch.partition)
    if (client !== this.#client || lane === undefined || this.#isStopping) return
    this.#commitOffsets = payload.commitOffsetsIfNecessary
    let fault: unknown
    const beat = async (): Promise<void> => {
      try {
        await answerWithin(callTimeoutMs, heartbeat())
        fault = undefined
      } catch (error) {
        fault = error
        if (endsMembership(error)) for (const each of this.#lanes.values()) each.yield()
      }
    }
    const pulse = setInterval(() => void beat(), heartbeatMs)
    try {
      await lane.idle()
      await this.#takeAll(lane, payload)
      const end = Number(batch.lastOffset()) + 1
      if (lane.isOpen && lane.position === end) resolveOffset(batch.lastOffset())
      else if (lane.isOpen && lane.unfinished === undefined) await this.#settle(lane)
      await beat()
    } finally {
      clearInterval(pulse)
    }
    if (fault === undefined) return
    // While the group prepares its rebalance it still takes commits: what they say is not read again by others.
    await answerWithin(2_000, this.#commits.flush()).catch(() => {})
    throw fault
  }

  /** Hands over the fetched records in batches, from the lane's position on. */
  async #takeAll(lane: PartitionLane<Batch>, { batch }: EachBatchPayload): Promise<void> {
    const { partition } = batch
    const high = Number(batch.highWatermark)
    while (lane.isOpen && !lane.isYielding && !this.#isStopping) {
      if (lane.unfinished !== undefined) {
        if (!(await lane.take(lane.unfinished))) return
        continue
      }
      const { position } = lane
      const next = nextMessages(batch, position, this.#options)
      if (next === undefined) return
      if (!(await lane.take(this.#batchOf(partition, position, next.to, next.messages)))) return
      this.#crashedSince = undefined
      this.#lag.measure(partition, lane.position, high, Number(next.messages.at(-1)?.timestamp ?? Date.now()))
    }
  }

  /** Every `watchMs`: what retention did meanwhile, and how far behind we are. */
  async #watch(): Promise<void> {
    const edges = await this.#edges.get().catch(() => undefined)
    if (edges === undefined) return
    for (const lane of this.#lanes.values()) {
      const found = edges.get(lane.partition)
      if (found === undefined || !lane.isOpen) continue
      this.#lag.measure(lane.partition, lane.position, found.high)
      if (lane.position < found.low) void this.#settle(lane)
    }
  }

  async #sendCommit(positions: ReadonlyMap<PartitionId, Position>): Promise<void> {
    const { kafka, topic } = this.#options
    const partitions = [...positions].map(([partition, position]) => ({ partition, offset: String(position) }))
    if (this.#client === undefined) throw new Error('no client')
    const committed =
      this.#commitOffsets?.({ topics: [{ topic, partitions }] }) ??
      this.#client.commitOffsets(partitions.map(each => ({ topic, ...each })))
    await answerWithin(kafka.callTimeoutMs, committed)
  }

  /** The client may be between two lives. What is asked of it here is asked again after its next join. */
  #tryClient(ask: (client: Client) => void): void {
    try {
      if (this.#client !== undefined) ask(this.#client)
    } catch (error) {
      this.#options.log.debug({ group: this.#options.group, err: error }, 'The consumer does not run')
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    for (const lane of this.#lanes.values()) lane.abandon()
    this.#wake()
  }

  /** Finishes what is under way, gives the partitions back and commits. */
  async #leave(limitMs: number): Promise<void> {
    const { topic } = this.#options
    this.#tryClient(client => client.pause([{ topic }]))
    for (const lane of this.#lanes.values()) this.#closeLane(lane, limitMs)
    await Promise.all(this.#closing.values())
    await answerWithin(limitMs, this.#commits.flush()).catch(() => {})
    this.#commits.close()
    await this.#dropClient()
    this.#memberId = undefined
  }

  async #dropClient(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    this.#commitOffsets = undefined
    this.#heardAt = undefined
    if (client !== undefined) await answerWithin(this.#options.leaveMs, client.disconnect()).catch(() => {})
  }

  #sleep(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** Whether the group goes on without this member as it was. */
function endsMembership(error: unknown): boolean {
  return ['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID'].includes(kafkaErrorType(error))
}
