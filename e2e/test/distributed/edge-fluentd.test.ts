import { appendFileSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Event, eventsOf, parseLogLine } from '@headwater/core'
import {
  type Fluentd,
  findFluentd,
  findKafka,
  fluentdMissing,
  KAFKA_MISSING,
  type Kafka,
  type KafkaProgress,
  kafkaProgress,
  serviceOrSkip,
  startFluentd,
  startKafka,
} from '@headwater/testkit'
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  Kafka as KafkaClient,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { keyPartition } from '../../../processor/src/ship/key-partition.ts'
import { visitorKey } from '../../../processor/src/ship/visitor-key.ts'
import { EdgeLog, numberOfLine } from '../../src/distributed/edge-log.ts'
import { type TopicRecord, topicContent } from '../../src/distributed/topic-content.ts'
import { HOSTILE_LINES } from '../../src/hostile-lines.ts'
import { until } from '../../src/until.ts'

const PARTITIONS = 3
/** How long a fault lasts; EDGE_OUTAGE_MS=20000 for the run by hand. */
const OUTAGE_MS = Number(process.env.EDGE_OUTAGE_MS ?? 6_000)
const KILLS = Number(process.env.EDGE_KILLS ?? 4)
const PASSWORD = 'edge#1'

const isThere = [
  serviceOrSkip('Kafka', findKafka(), KAFKA_MISSING),
  serviceOrSkip('Fluentd', findFluentd(), fluentdMissing()),
].every(Boolean)

describe.skipIf(!isThere)('a real Fluentd with our configuration, to a real Kafka that knows its user', () => {
  let kafka: Kafka
  let client: KafkaClient
  let admin: Admin
  let progress: KafkaProgress
  let log: EdgeLog
  let fluentd: Fluentd
  let topic: string
  let topics = 0

  beforeAll(async () => {
    const listener = 'listener.name.sasl_plaintext'
    kafka = await startKafka({
      secured: 'SASL_PLAINTEXT',
      properties: {
        // No SCRAM: Debian 12's librdkafka repeats its nonce, which Kafka 4 refuses.
        [`${listener}.sasl.enabled.mechanisms`]: 'PLAIN',
        [`${listener}.plain.sasl.jaas.config`]: `org.apache.kafka.common.security.plain.PlainLoginModule required user_edge="${PASSWORD}";`,
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        // The plain listener is ours; Fluentd comes as User:edge and may do what an ACL gives it.
        'super.users': 'User:ANONYMOUS',
      },
    })
    client = new KafkaClient({ brokers: kafka.bootstrap, logLevel: logLevel.NOTHING, retry: { retries: 20 } })
    admin = client.admin()
    await admin.connect()
    progress = await kafkaProgress(kafka.bootstrap)
  }, 120_000)
  afterAll(async () => {
    await progress?.close()
    await admin?.disconnect()
    await kafka?.stop()
  })
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.log(`Fluentd said: ${fluentd?.said().slice(-5_000)}`)
    await fluentd?.stop()
    log?.close()
  }, 30_000)

  const mayWrite = (permissionType = AclPermissionTypes.ALLOW, operation = AclOperationTypes.WRITE) => ({
    resourceType: AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:edge',
    host: '*',
    operation,
    permissionType,
  })

  /** A log, a topic with an ACL, and Fluentd between them. */
  async function edge(configuration: 'fluent.conf' | 'fluent-nginx.conf' = 'fluent.conf'): Promise<void> {
    topic = `edge-${topics++}.access-log`
    const configEntries = [{ name: 'max.message.bytes', value: String(4 * 1024 * 1024) }]
    const made = { topic, numPartitions: PARTITIONS, replicationFactor: 1, configEntries }
    // A fresh cluster may say that the topic is not there yet.
    await admin.createTopics({ topics: [made], waitForLeaders: true }).catch(() => {})
    await admin.createAcls({ acl: [mayWrite()] })
    log = new EdgeLog()
    fluentd = await startFluentd({
      log: log.path,
      brokers: kafka.securedBootstrap,
      topic,
      configuration,
      env: {
        HEADWATER_KAFKA_TLS_MODE: 'off',
        HEADWATER_KAFKA_SASL_MECHANISM: 'plain',
        HEADWATER_KAFKA_SASL_USERNAME: 'edge',
        HEADWATER_KAFKA_SASL_PASSWORD: PASSWORD,
      },
    })
  }

  const said = (words: RegExp, from = 0): Promise<true> =>
    until(`Fluentd to say ${words}`, async () => words.test(fluentd.said().slice(from)) || undefined, 60_000)

  /** Everything in the topic once all lines of the log are there. */
  async function arrived(count = log.lines.length): Promise<TopicRecord[]> {
    const wanted = new Set(log.lines)
    // A broker that has just come back may not be the leader yet.
    const records = (): Promise<number> => progress.records(topic).catch(() => 0)
    await until('as many records as lines', async () => (await records()) >= count || undefined, 90_000)
    return until(
      'every line to arrive',
      async () => {
        const records = await topicContent(client, topic)
        const values = new Set(records.map(({ value }) => value))
        return values.size >= Math.min(count, wanted.size) ? records : undefined
      },
      60_000,
    )
  }

  /** No line is lost, none invented; each bears the key that `ship` gives it, in that key's partition. */
  function compare(records: readonly TopicRecord[]): { lines: number; repeats: number } {
    const found = new Set(records.map(({ value }) => value))
    const wanted = new Set(log.lines)
    const figures = { lines: wanted.size, repeats: records.length - found.size }
    console.log(expect.getState().currentTestName, JSON.stringify(figures))
    expect(log.lines.filter(line => !found.has(line))).toEqual([])
    expect([...found].filter(line => !wanted.has(line))).toEqual([])
    for (const { key, value, partition } of records) {
      if (key === visitorKey(value) && partition === keyPartition(key, PARTITIONS)) continue
      expect({ value, key, partition }).toEqual({
        value,
        key: visitorKey(value),
        partition: keyPartition(visitorKey(value), PARTITIONS),
      })
    }
    return figures
  }

  it('brings every line of five rotations once, and each visitor of a file in its order', async () => {
    await edge()
    for (let rotation = 0; rotation < 5; rotation++) {
      log.grow(3_500)
      await pause(300)
      log.rename()
      log.grow(500)
      await pause(100)
      log.reopen()
    }
    log.grow(1_000)
    const records = await arrived()
    expect(compare(records)).toEqual({ lines: 21_000, repeats: 0 })
    // Two files are read side by side for a moment, so the order holds within a file only: 4 000 lines each.
    const last = new Map<string, number>()
    for (const { key = '', value } of records) {
      const number = numberOfLine(value)
      const ofFile = `${key} ${Math.floor(number / 4_000)}`
      expect(number).toBeGreaterThan(last.get(ofFile) ?? -1)
      last.set(ofFile, number)
    }
  }, 120_000)

  it('loses nothing while the broker is away', async () => {
    await edge()
    log.grow(1_000)
    await arrived()
    const before = fluentd.said().length
    await kafka.kill(1)
    const until_ = Date.now() + OUTAGE_MS
    do {
      log.grow(300)
      await pause(200)
    } while (Date.now() < until_)
    await said(/rdkafka: .*(Connect to|brokers are down|Disconnected)/, before)
    log.rename()
    log.reopen()
    log.grow(1_000)
    await kafka.restart(1)
    compare(await arrived())
  }, 180_000)

  it('loses nothing while an ACL denies it the topic, killed and started anew meanwhile', async () => {
    await edge()
    log.grow(1_000)
    await arrived()
    await admin.deleteAcls({ filters: [mayWrite(AclPermissionTypes.ALLOW)] })
    const before = fluentd.said().length
    log.grow(2_000)
    await said(/failed to flush the buffer.*(authorization)/i, before)
    await pause(OUTAGE_MS / 2)
    log.grow(2_000)
    await fluentd.kill()
    const again = fluentd.said().length
    await fluentd.restart()
    await said(/failed to flush the buffer/, again)
    await pause(OUTAGE_MS / 2)
    await admin.createAcls({ acl: [mayWrite()] })
    log.grow(1_000)
    compare(await arrived())
  }, 180_000)

  /** What a kill in the middle of a write leaves: half a record at the end of the pieces that Fluentd was filling. */
  function tearBuffer(): number {
    const folder = join(fluentd.folder, 'buffer')
    const open = readdirSync(folder).filter(name => /^buffer\.b.*\.log$/.test(name))
    for (const name of open) appendFileSync(join(folder, name), readFileSync(join(folder, name)).subarray(0, 100))
    return open.length
  }

  it('loses nothing when it is killed, over and over, and the log is rotated while it is down', async () => {
    await edge()
    let torn = 0
    for (let kill = 0; kill < KILLS; kill++) {
      for (let i = 0; i < 12; i++) {
        log.grow(350)
        await pause(60 + 10 * kill)
      }
      await fluentd.kill()
      torn += tearBuffer()
      log.grow(200)
      log.rename()
      log.grow(100)
      log.reopen()
      log.grow(100)
      await fluentd.restart()
    }
    log.grow(1_000)
    compare(await arrived())
    expect(torn).toBeGreaterThan(0)
  }, 120_000)

  it('changes no byte of any line, and leaves out only what is over 1 MiB', async () => {
    await edge()
    const longest = `192.0.2.1 - - [22/Nov/2026:10:00:00 +0000] "GET /5?n=${'x'.repeat(1024 * 1024)}`.slice(
      0,
      1024 * 1024,
    )
    const every = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')
    const ours = [longest, every.replace('\n', ''), ' leading', '"" 400 0', '\\x22\\xE9 caf\xe9 \\xZZ']
    const hostile = HOSTILE_LINES.map(({ line }) => line)
    const short = [...new Set([...hostile, ...ours].filter(line => line.length <= 1024 * 1024))]
    log.append(short)
    compare(await arrived())
    log.append([hostile.find(line => line.length > 1024 * 1024) as string])
    await said(/received line length is longer than 1048577/)
    log.lines.pop()
    log.grow(10)
    compare(await arrived())
  }, 120_000)

  it('taken apart by `@type nginx`, a line becomes the same events', async () => {
    await edge('fluent-nginx.conf')
    log.grow(500)
    // Its pattern allows one more quoted field, and no more.
    const combined = log.lines.map(line => line.slice(0, line.lastIndexOf('"Mozilla/5.0 (X11)"') + 19))
    log.lines.length = 0
    log.append([...combined, ...HOSTILE_LINES.map(({ line }) => line).filter(line => line.startsWith('127.0.0.1'))])
    const wanted = combined.length
    await until('the records', async () => (await progress.records(topic)) >= wanted + 500 || undefined, 60_000)
    const records = await topicContent(client, topic)
    const byNumber = new Map(
      records.filter(({ value }) => value.startsWith('{"remote"')).map(record => [numberOfLine(record.value), record]),
    )
    for (const line of combined) {
      const record = byNumber.get(numberOfLine(line))
      expect(record?.key).toBe(visitorKey(line))
      expect(eventsIn(record?.value ?? '')).toEqual(eventsIn(line))
    }
  }, 120_000)
})

function eventsIn(line: string): readonly (Event | { rejected: string })[] {
  const record = parseLogLine(line)
  if ('rejected' in record) return [record]
  const events = eventsOf(record, { source: 'test', position: 0, ingestSiteId: 1 })
  return 'rejected' in events ? [events] : events
}
