import net, { type NetConnectOpts, Socket } from 'node:net'
import { findKafka, KAFKA_MISSING, serviceOrSkip } from '@headwater/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KafkaReaderOptions } from '../../src/kafka/kafka-reader.ts'
import type { Assignment, Consumer, LineBatch } from '../../src/ports.ts'
import { type KafkaLineSource, kafkaLineSource } from '../../src/sources/kafka-line-source.ts'
import { fault, type Recording, readAll, recordingConsumer } from '../contracts/recording-consumer.ts'
import { type KafkaUnderTest, QUICK, startKafkaUnderTest, until } from './kafka-fixture.ts'

/** Lines `0` … `count − 1`. */
const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i))
const linesOf = ({ batches }: Recording<LineBatch>): number[] => batches.flatMap(({ lines }) => lines.map(Number))

describe.skipIf(!serviceOrSkip('kafka', findKafka(), KAFKA_MISSING))('a reader of a topic', { timeout: 90_000 }, () => {
  let kafka: KafkaUnderTest
  const running: { stop: AbortController; ended: Promise<void> }[] = []
  beforeAll(async () => {
    kafka = await startKafkaUnderTest()
  }, 180_000)
  afterAll(async () => {
    for (const { stop } of running) stop.abort()
    await Promise.allSettled(running.map(({ ended }) => ended))
    await kafka?.stop()
  }, 60_000)

  const source = (topic: string, more: Partial<KafkaReaderOptions> = {}): KafkaLineSource =>
    kafkaLineSource({
      kafka: kafka.connection,
      topic,
      group: `group-of-${topic}`,
      name: 'test',
      metrics: kafka.metrics,
      log: kafka.log,
      ...QUICK,
      ...more,
    })

  /** Runs a source until the test stops it. */
  function start(
    reader: KafkaLineSource,
    overrides: Partial<Consumer<LineBatch>> = {},
  ): { recording: Recording<LineBatch>; stop(): Promise<void>; ended: Promise<void> } {
    const recording = recordingConsumer<LineBatch>(overrides)
    const stop = new AbortController()
    const ended = reader.run(recording.consumer, stop.signal)
    ended.catch(() => {})
    running.push({ stop, ended })
    const end = (): Promise<void> => {
      stop.abort()
      return ended
    }
    return { recording, stop: end, ended }
  }

  async function counted(metric: 'joins' | 'lostRecords', topic: string): Promise<number> {
    const { values } = await kafka.metrics[metric].get()
    return values.find(({ labels }) => labels.group === `group-of-${topic}`)?.value ?? 0
  }

  test('members share the partitions, keep theirs when another joins or leaves, and miss nothing', async () => {
    const { accessLog: topic } = await kafka.topics(4)
    const group = `group-of-${topic}`
    let sent = 0
    const sendSome = async (): Promise<void> => {
      for (let partition = 0; partition < 4; partition++) await kafka.send(topic, [String(sent++)], partition)
    }
    /** Positions as a store would hold them, for whichever member asks. */
    const stored = new Map<number, number>()
    const taken: number[] = []
    const owner = new Map<number, string>()
    const member = (name: string) => {
      const reader = source(topic, { memberName: name })
      const overrides: Partial<Consumer<LineBatch>> = {
        assigned: async ({ partition, oldest }: Assignment) => {
          owner.set(partition, name)
          return stored.get(partition) ?? oldest
        },
        take: async ({ partition, from, to, lines }: LineBatch) => {
          const at = stored.get(partition) ?? 0
          if (from !== at) return at
          taken.push(...lines.map(Number))
          stored.set(partition, to)
          await reader.commit(partition, to)
          return to
        },
      }
      return { reader, ...start(reader, overrides) }
    }
    const isAllTaken = (): boolean => taken.length === sent
    const a = member('a')
    await sendSome()
    await until(isAllTaken, 'the only member takes all')
    const b = member('b')
    await until(() => b.reader.partitions().length === 2 && a.reader.partitions().length === 2, 'b has its half')
    // A moved nothing that need not move: it was assigned four times and lost two.
    expect(a.recording.assignments).toHaveLength(4)
    await sendSome()
    await until(isAllTaken, 'both take all')
    expect(new Set([...owner.values()])).toEqual(new Set(['a', 'b']))
    expect(a.recording.calls.filter(call => call === 'revoked')).toHaveLength(2)
    await b.stop()
    await sendSome()
    await until(isAllTaken, 'the one that stayed takes all')
    expect(a.recording.assignments).toHaveLength(6)
    expect(taken.sort((x, y) => x - y)).toEqual(numbers(sent).map(Number))
    await a.stop()
    for (const [partition, position] of stored) expect(await kafka.committed(group, topic, partition)).toBe(position)
  })

  test('what the consumer has stored is committed, also when nothing is left to take', async () => {
    const { accessLog: topic } = await kafka.topics()
    const group = `group-of-${topic}`
    await kafka.send(topic, numbers(3))
    await kafka.commit(group, topic, 1)
    const { stop } = start(source(topic), { assigned: async () => 3 })
    await until(async () => (await kafka.committed(group, topic)) === 3, 'its position is committed')
    await stop()
  })

  test('a client that hangs for ever, after a broker ended a connection in the making, is replaced', async () => {
    const { accessLog: topic } = await kafka.topics()
    const connect = net.connect
    const sockets: Socket[] = []
    let isEnding = false
    net.connect = ((options: NetConnectOpts, connected: () => void) => {
      const socket = isEnding ? new Socket() : connect(options, connected)
      if (isEnding) setImmediate(() => socket.emit('end'))
      else sockets.push(socket)
      return socket
    }) as typeof net.connect
    try {
      const reader = source(topic, {
        kafka: kafka.connect({ requestTimeoutMs: 1_000 }),
        sessionTimeoutMs: 6_000,
        rebalanceTimeoutMs: 3_000,
      })
      const { recording, stop } = start(reader)
      await kafka.send(topic, ['0'])
      await until(() => linesOf(recording).length === 1, 'the first line is taken')
      isEnding = true
      for (const socket of sockets) socket.destroy(new Error('reset'))
      await new Promise(resolve => setTimeout(resolve, 1_000))
      isEnding = false
      await kafka.send(topic, ['1'])
      await until(() => linesOf(recording).includes(1), 'the second line is taken', 60_000)
      expect(kafka.said.filter(line => line.includes('no heartbeat for'))).not.toEqual([])
      await stop()
    } finally {
      net.connect = connect
    }
  })

  test('what retention deleted is counted as lost, and reading goes on behind it', async () => {
    const { accessLog: topic } = await kafka.topics()
    await kafka.send(topic, numbers(100))
    await kafka.connection.admin('Records are deleted', async admin => {
      await admin.fetchTopicOffsets(topic)
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '50' }] })
    })
    // What it had committed is gone as well as what another store remembers.
    for (const [i, begin] of [10, 20].entries()) {
      const recording = await readAll(source(topic, { drainMs: 20_000 }), { assigned: async () => begin })
      expect(linesOf(recording)).toEqual(numbers(100).slice(50).map(Number))
      expect(recording.batches[0]!.from).toBe(50)
      expect(await counted('lostRecords', topic)).toBe([40, 70][i])
    }
    expect(kafka.said).toContain('50 Retention deleted records before they were read')
  })

  test('committed offsets that were deleted are none, and the position that the consumer knows counts', async () => {
    const { accessLog: topic } = await kafka.topics()
    await kafka.send(topic, numbers(40))
    await kafka.commit(`group-of-${topic}`, topic, 40)
    expect((await readAll(source(topic, { drainMs: 20_000 }))).batches).toEqual([])
    await kafka.connection.admin('A group is deleted', admin => admin.deleteGroups([`group-of-${topic}`]))
    const recording = await readAll(source(topic, { drainMs: 20_000 }), { assigned: async () => 30 })
    expect(recording.assignments[0]).toEqual({ partition: 0, committed: undefined, oldest: 0, end: 40 })
    expect(linesOf(recording)).toEqual(numbers(40).slice(30).map(Number))
  })

  test('a position behind the end ends the run with what to do, and leaves the committed offset as it is', async () => {
    const { accessLog: topic } = await kafka.topics()
    await kafka.send(topic, numbers(10))
    await kafka.commit(`group-of-${topic}`, topic, 7)
    const { recording, ended } = start(source(topic, { beyondEndMs: 1_000 }), { assigned: async () => 25 })
    await expect(ended).rejects.toThrow(/^POSITION_BEYOND_END: .*position 25.*topics\.generation.* Found: end 10\.$/)
    expect(recording.batches).toEqual([])
    expect(await kafka.committed(`group-of-${topic}`, topic)).toBe(7)
  })

  test('a topic that is missing pauses the reader, which goes on when it is made', async () => {
    const topic = 'made-later'
    const reader = source(topic)
    const { recording, stop } = start(reader)
    await until(() => reader.health.pausedSince !== undefined, 'it pauses')
    expect(kafka.said.some(line => /pauses.*TOPIC_MISSING.*headwater topics/.test(line))).toBe(true)
    await kafka.connection.admin('A topic is made', admin => admin.createTopics({ topics: [{ topic }] }))
    await kafka.send(topic, numbers(3))
    await until(() => linesOf(recording).length === 3, 'its records come')
    expect(reader.health.pausedSince).toBeUndefined()
    await stop()
  })

  test('a store that is away for longer than the session costs no membership', async () => {
    const { accessLog: topic } = await kafka.topics()
    await kafka.send(topic, numbers(5))
    const reader = source(topic, { sessionTimeoutMs: 2_000 })
    let since: number | undefined
    const { recording, stop } = start(reader, {
      take: async batch => {
        since ??= Date.now()
        if (Date.now() - since < 5_000) throw fault(true)
        return batch.to
      },
    })
    await until(() => reader.health.pausedSince !== undefined, 'it pauses')
    await until(() => linesOf(recording).length === 5, 'the store is back')
    expect(recording.calls).toEqual(['assigned', 'take'])
    expect(await counted('joins', topic)).toBe(1)
    await stop()
  })

  test('a take that a rebalance interrupts comes again with the very same batch', async () => {
    const { accessLog: topic } = await kafka.topics(2)
    await kafka.send(topic, numbers(20), 0)
    let isAway = true
    const tried: LineBatch[] = []
    const a = start(source(topic, { memberName: 'a' }), {
      take: async batch => {
        tried.push(batch)
        if (isAway) throw fault(true)
        return batch.to
      },
    })
    await until(() => tried.length > 0, 'the first try')
    const b = source(topic, { memberName: 'b' })
    const other = start(b)
    await until(() => b.partitions().length === 1, 'the other one has joined')
    expect(b.partitions()).toEqual([1])
    isAway = false
    await until(() => linesOf(a.recording).length === 20, 'the batch is taken')
    expect(new Set(tried).size).toBe(1)
    expect(a.recording.assignments).toHaveLength(2)
    await Promise.all([a.stop(), other.stop()])
  })

  test('records are handed over in batches of limited size', async () => {
    const { accessLog: topic } = await kafka.topics()
    await kafka.send(
      topic,
      Array.from({ length: 20 }, () => 'x'.repeat(1_000)),
    )
    const { batches } = await readAll(source(topic, { drainMs: 20_000, maxBatchBytes: 3_500 }))
    expect(batches.map(({ from, to }) => to - from)).toEqual([3, 3, 3, 3, 3, 3, 2])
  })

  test('a line over 1 MiB is cut and marked, a newline at the end of a record is no part of its line', async () => {
    const { accessLog: topic } = await kafka.topics(1, { 'max.message.bytes': '4000000' })
    await kafka.send(topic, ['a\n', 'y'.repeat(1024 * 1024 + 1), ''])
    const { batches } = await readAll(source(topic, { drainMs: 20_000, maxBatchBytes: 8_000_000 }))
    expect(batches).toHaveLength(1)
    expect(batches[0]!.lines).toEqual(['a', 'y'.repeat(8 * 1024), ''])
    expect(batches[0]!.tooLong).toEqual([1])
  })

  test('a broker that dies and comes back takes nothing from what is read', async () => {
    const { accessLog: topic } = await kafka.topics(2)
    await kafka.send(topic, numbers(50), 0)
    const taken: number[] = []
    let position = 0
    const reader = source(topic)
    const { stop } = start(reader, {
      assigned: async ({ partition }) => (partition === 0 ? position : 0),
      take: async ({ lines, to }) => {
        taken.push(...lines.map(Number))
        position = to
        await reader.commit(0, to)
        return to
      },
    })
    await until(() => taken.length === 50, 'the first half')
    await kafka.broker.kill(1)
    await kafka.broker.restart(1)
    await until(
      () =>
        kafka.send(topic, numbers(100).slice(50), 0).then(
          () => true,
          () => false,
        ),
      'the broker takes more',
    )
    await until(() => new Set(taken).size === 100, 'the second half', 60_000)
    // The test's own sending may repeat; the log as it is comes once.
    expect(taken).toHaveLength(position)
    await until(
      async () => (await kafka.committed(`group-of-${topic}`, topic)) === position,
      'its position is committed',
    )
    await stop()
  })
})
