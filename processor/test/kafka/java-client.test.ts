import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findKafka, KAFKA_MISSING, mavenJars, serviceOrSkip } from '@headwater/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CheckedProducer } from '../../src/kafka/checked-producer.ts'
import type { OutgoingRecord } from '../../src/kafka/record-encoder.ts'
import { type KafkaUnderTest, startKafkaUnderTest } from './kafka-fixture.ts'
import { outgoingRecord } from './outgoing-record.ts'

const READER = fileURLToPath(new URL('ReadPartition.java', import.meta.url))

describe.skipIf(!serviceOrSkip('kafka', findKafka(), KAFKA_MISSING))("Apache Kafka's own client", () => {
  let kafka: KafkaUnderTest
  beforeAll(async () => {
    kafka = await startKafkaUnderTest()
  }, 180_000)
  afterAll(() => kafka?.stop(), 60_000)

  // The broker looks at each record, too: it gives them its own time.
  test('reads what was sent, every record as it was', { timeout: 180_000 }, async () => {
    const { accessLog } = await kafka.topics()
    const producer = new CheckedProducer({ kafka: kafka.connection, metrics: kafka.metrics, log: kafka.log })
    const batches = fc.sample(fc.array(outgoingRecord, { minLength: 1, maxLength: 300 }), { numRuns: 20, seed: 7 })
    for (const records of batches) await producer.send(accessLog, 0, records)
    await producer.close()
    const all = batches.flat()
    const jars = `${await mavenJars('kafka')}/*`
    const read = ['-cp', jars, READER, kafka.broker.bootstrap[0] as string, accessLog, String(all.length)]
    const { stdout } = await promisify(execFile)('java', read, { maxBuffer: 256 * 1024 * 1024 })
    const seen = stdout.split('\n').filter(line => /^\d/.test(line))
    expect(seen).toEqual(all.map(printed))
  })
})

/** As `ReadPartition.java` prints a record. */
function printed({ key, value, header }: OutgoingRecord, offset: number): string {
  const hex = (text: string | Uint8Array): string =>
    (typeof text === 'string' ? Buffer.from(text, 'latin1') : Buffer.from(text)).toString('hex')
  const headed = header === undefined ? '-' : `x${hex(header.name)}x${hex(header.value)}`
  return `${offset} ${key === undefined ? '-' : `x${hex(key)}`} x${hex(value)} ${headed}`
}
