import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { findKafka, KAFKA_MISSING, serviceOrSkip } from '@headwater/testkit'
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { KafkaOptions } from '../../src/kafka/kafka-connection.ts'
import { PartitionRecords } from '../../src/kafka/partition-records.ts'
import { createProcessorMetrics, type ProcessorMetrics } from '../../src/metrics.ts'
import { keyPartition } from '../../src/ship/key-partition.ts'
import { shipLines } from '../../src/ship/ship-lines.ts'
import { visitorKey } from '../../src/ship/visitor-key.ts'
import type { AccessLogSource } from '../../src/sources/access-log-source.ts'
import { type KafkaUnderTest, startKafkaUnderTest, until } from '../kafka/kafka-fixture.ts'
import { LogFolder } from '../sources/tailer-fixture.ts'

const PARTITIONS = 3
/** How long a fault lasts; EDGE_OUTAGE_MS=20000 for the run by hand. */
const OUTAGE_MS = Number(process.env.EDGE_OUTAGE_MS ?? 5_000)
const PASSWORD = 'edge#1'
const USER: NonNullable<KafkaOptions['sasl']> = { mechanism: 'plain', username: 'edge', password: PASSWORD }

interface Shipped {
  partition: number
  key: string
  value: string
  cut: boolean
}

describe.skipIf(!serviceOrSkip('Kafka', findKafka(), KAFKA_MISSING))('lines shipped to a real Kafka', () => {
  let kafka: KafkaUnderTest
  let log: LogFolder
  let written: string[]
  let topic: string
  let metrics: ProcessorMetrics
  let source: AccessLogSource
  let stop: AbortController
  let run: Promise<void> | undefined

  beforeAll(async () => {
    const listener = 'listener.name.sasl_plaintext'
    kafka = await startKafkaUnderTest({
      secured: 'SASL_PLAINTEXT',
      properties: {
        [`${listener}.sasl.enabled.mechanisms`]: 'PLAIN',
        [`${listener}.plain.sasl.jaas.config`]: `org.apache.kafka.common.security.plain.PlainLoginModule required user_edge="${PASSWORD}";`,
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        // The plain listener is ours; the shipper comes as User:edge and may do what an ACL gives it.
        'super.users': 'User:ANONYMOUS',
      },
    })
  }, 120_000)
  afterAll(() => kafka?.stop())
  beforeEach(async () => {
    log = new LogFolder()
    written = []
    metrics = createProcessorMetrics(new Registry())
    topic = (await kafka.topics(PARTITIONS)).accessLog
    await kafka.connection.admin('A right is given', admin => admin.createAcls({ acl: [mayWrite()] }))
    run = undefined
  }, 60_000)
  afterEach(async () => {
    stop?.abort()
    await run
    log.remove()
  }, 60_000)

  const mayWrite = () => ({
    resourceType: AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:edge',
    host: '*',
    operation: AclOperationTypes.WRITE,
    permissionType: AclPermissionTypes.ALLOW,
  })

  async function ship(): Promise<void> {
    source = await log.source({ name: 'ship', rotateWaitMs: 200, log: kafka.log })
    stop = new AbortController()
    const connection = kafka.connect({ brokers: kafka.broker.securedBootstrap, sasl: USER })
    run = shipLines({ source, kafka: connection, topic, log: kafka.log, metrics }, stop.signal)
    run.catch(() => {})
  }

  function grow(count: number): void {
    append(Array.from({ length: count }, (_, i) => numberedLine(written.length + i)))
  }
  function append(lines: readonly string[]): void {
    log.append(lines.map(line => `${line}\n`).join(''))
    written.push(...lines)
  }

  const ends = () =>
    kafka.connection.admin('Ends are asked for', async admin => {
      const found = await admin.fetchTopicOffsets(topic)
      return found.map(({ partition, high }) => ({ partition, end: Number(high) }))
    })

  async function content(): Promise<Shipped[]> {
    const records: Shipped[] = []
    for (const { partition, end } of await ends()) {
      const reader = new PartitionRecords(kafka.connection, topic, partition, 'test')
      await reader.open()
      for await (const messages of reader.read(0, end))
        for (const { key, value, headers } of messages)
          records.push({
            partition,
            key: key?.toString('latin1') ?? 'none',
            value: value?.toString('latin1') ?? '',
            cut: headers?.cut !== undefined,
          })
      await reader.close()
    }
    return records
  }

  /** Waits until all lines are there: none lost, none invented, each in its visitor's partition. */
  async function arrived(expected: readonly string[] = written): Promise<Shipped[]> {
    let records: Shipped[] = []
    const count = async (): Promise<number> =>
      (await ends().catch(() => [])).reduce((sum: number, { end }) => sum + end, 0)
    await until(async () => (await count()) >= expected.length, 'as many records as lines', 90_000)
    await until(
      async () => {
        records = await content()
        return new Set(records.map(({ value }) => value)).size >= new Set(expected).size
      },
      'every line is there',
      60_000,
    )
    const found = new Set(records.map(({ value }) => value))
    const wanted = new Set(expected)
    const figures = { lines: expected.length, repeats: records.length - found.size }
    console.log(expect.getState().currentTestName, JSON.stringify(figures))
    expect(expected.filter(line => !found.has(line))).toEqual([])
    expect([...found].filter(line => !wanted.has(line))).toEqual([])
    for (const { partition, key, value } of records) {
      expect(key).toBe(visitorKey(value))
      expect(partition).toBe(keyPartition(key, PARTITIONS))
    }
    return records
  }

  /** First copies only: repeats are dropped by id later. */
  function expectOrder(records: readonly Shipped[]): void {
    const seen = new Set<string>()
    const last = new Map<string, number>()
    for (const { key, value } of records) {
      if (seen.has(value)) continue
      seen.add(value)
      expect(numberOf(value)).toBeGreaterThan(last.get(key) ?? -1)
      last.set(key, numberOf(value))
    }
  }

  it('arrive once and in each visitor’s order over rotations and while the broker is away', async () => {
    await ship()
    for (let rotation = 0; rotation < 4; rotation++) {
      grow(2_000)
      log.rotate()
    }
    expectOrder(await arrived())
    await kafka.broker.kill(1)
    const end = Date.now() + OUTAGE_MS
    do {
      grow(300)
      await pause(200)
    } while (Date.now() < end)
    log.rotate()
    await until(() => source.health.pausedSince !== undefined, 'reading pauses')
    await kafka.broker.restart(1)
    grow(500)
    expectOrder(await arrived())
    await until(() => source.health.pausedSince === undefined, 'reading goes on')
    expect((await metrics.ship.lines.get()).values[0]?.value).toBe(written.length)
  }, 180_000)

  it('wait while an ACL denies the topic', async () => {
    await ship()
    grow(1_000)
    await arrived()
    await kafka.connection.admin('A right is taken', admin => admin.deleteAcls({ filters: [mayWrite()] }))
    grow(1_000)
    await until(() => source.health.pausedSince !== undefined, 'reading pauses')
    expect(kafka.said.join('\n')).toContain('KAFKA_DENIED')
    await pause(OUTAGE_MS)
    grow(1_000)
    await kafka.connection.admin('A right is given', admin => admin.createAcls({ acl: [mayWrite()] }))
    expectOrder(await arrived())
  }, 180_000)

  it('are not lost when the shipper is killed, over and over', async () => {
    const options = {
      stateDir: join(log.folder, 'state'),
      topic,
      kafka: { brokers: kafka.broker.securedBootstrap, sasl: USER },
    }
    const start = async (): Promise<ChildProcess> => {
      const script = fileURLToPath(new URL('ship-process.mjs', import.meta.url))
      const child = spawn(process.execPath, [script, log.path, JSON.stringify(options)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await new Promise(resolve => child.stdout?.once('data', resolve))
      return child
    }
    const stored = (): string => {
      const file = join(options.stateDir, 'positions', 'ship.json')
      return existsSync(file) ? readFileSync(file, 'utf8') : ''
    }
    const kill = async (child: ChildProcess): Promise<void> => {
      const ended = new Promise(resolve => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    }
    for (let round = 0; round < 3; round++) {
      const child = await start()
      const before = stored()
      // At any moment after the position was stored for the first time, so that the next round begins behind it.
      for (let i = 0; stored() === before || i < 5 + 7 * round; i++) {
        grow(200)
        await pause(100)
      }
      await kill(child)
      grow(200)
      log.rotate()
      grow(100)
    }
    const child = await start()
    try {
      expectOrder(await arrived())
    } finally {
      await kill(child)
    }
  }, 180_000)

  it('keep every byte; a line over 1 MiB comes cut to 8 KiB, and says so', async () => {
    const every = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')
    const start = '192.0.2.1 - - [22/Nov/2026:10:00:00 +0000] "GET /5?n='
    const longest = start + noise(1024 * 1024 - start.length)
    const longer = `${start}${'y'.repeat(1024 * 1024)}`
    const lines = ['', ' ', every.replace('\n', ''), '\\x22\\xE9 caf\xe9 \\xZZ', '"" 400 0', longest, numberedLine(1)]
    append([...lines, longer])
    await ship()
    const cut = longer.slice(0, 8 * 1024)
    const records = await arrived([...lines, cut])
    expect(records.filter(record => record.cut).map(({ value }) => value)).toEqual([cut])
  }, 120_000)

  it('wait for a topic that is not there yet', async () => {
    const name = `${topic}-later`
    source = await log.source({ name: 'ship', log: kafka.log })
    stop = new AbortController()
    run = shipLines({ source, kafka: kafka.connection, topic: name, log: kafka.log, metrics }, stop.signal)
    grow(10)
    await until(() => kafka.said.join('\n').includes('TOPIC_MISSING'), 'the topic is missed')
    topic = name
    const made = { topic, numPartitions: PARTITIONS, replicationFactor: 1 }
    await kafka.connection.admin('A topic is made', admin => admin.createTopics({ topics: [made] }).catch(() => true))
    await arrived()
  }, 120_000)
})

function numberedLine(number: number): string {
  const id = number % 10 === 0 ? '' : `&_id=${(0xabcdef0000 + (number % 300)).toString(16).padStart(16, '0')}`
  return `192.0.2.${number % 250} - - [22/Nov/2026:10:00:00 +0000] "GET /5?n=${number}${id} HTTP/1.1" 204 0 "-" "Mozilla"`
}

function numberOf(line: string): number {
  return Number(/[?&]n=(\d+)/.exec(line)?.[1])
}

/** Printable, and hardly to be compressed. */
function noise(length: number): string {
  let state = 1
  const codes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    codes[i] = 0x23 + ((state >>> 20) % 90)
  }
  return codes.toString('latin1')
}
