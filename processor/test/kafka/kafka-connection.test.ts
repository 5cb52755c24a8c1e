import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findKafka, freePort, KAFKA_MISSING, serviceOrSkip } from '@headwater/testkit'
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CheckedProducer } from '../../src/kafka/checked-producer.ts'
import type { KafkaOptions } from '../../src/kafka/kafka-connection.ts'
import { type KafkaUnderTest, startKafkaUnderTest, until } from './kafka-fixture.ts'

const PASSWORD = 'not-to-be-logged'

describe.skipIf(!serviceOrSkip('kafka', findKafka(), KAFKA_MISSING))('a connection', { timeout: 90_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'headwater-kafka-tls-'))
  const ca = join(folder, 'cert.pem')
  let kafka: KafkaUnderTest
  beforeAll(async () => {
    const key = join(folder, 'key.pem')
    const kind = ['-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=localhost']
    const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    execFileSync('openssl', ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', ca], { stdio: 'ignore' })
    const store = join(folder, 'keystore.pem')
    writeFileSync(store, readFileSync(key, 'utf8') + readFileSync(ca, 'utf8'))
    kafka = await startKafkaUnderTest({
      secured: 'SASL_SSL',
      scramUsers: { alice: PASSWORD },
      properties: {
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': store,
        'listener.name.sasl_ssl.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
        'listener.name.sasl_ssl.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="${PASSWORD}";`,
        'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config':
          'org.apache.kafka.common.security.scram.ScramLoginModule required;',
        'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config':
          'org.apache.kafka.common.security.scram.ScramLoginModule required;',
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'allow.everyone.if.no.acl.found': 'true',
        'super.users': 'User:ANONYMOUS',
      },
    })
  }, 180_000)
  afterAll(async () => {
    await kafka?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const secured = (
    sasl: Partial<NonNullable<KafkaOptions['sasl']>> = {},
    ssl: KafkaOptions['ssl'] = { caFile: ca },
  ): Promise<unknown> => {
    const login = { mechanism: 'scram-sha-512' as const, username: 'alice', password: PASSWORD, ...sasl }
    const connection = kafka.connect({ brokers: kafka.broker.securedBootstrap, ssl, sasl: login })
    return connection.admin('The cluster is looked at', admin => admin.describeCluster())
  }

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('logs in over TLS by %s', async mechanism => {
    await expect(secured({ mechanism })).resolves.toMatchObject({ brokers: [{ host: '127.0.0.1' }] })
  })

  test('a certificate for another name is accepted under that name', async () => {
    await expect(secured({}, { caFile: ca, servername: 'localhost' })).resolves.toBeDefined()
    await expect(secured({}, { caFile: ca, servername: 'kafka.example' })).rejects.toMatchObject({
      code: 'KAFKA_TLS_REFUSED',
    })
  })

  test.each(['plain', 'scram-sha-512'] as const)(
    'a wrong password (%s) is for a person, and is not in any log',
    async mechanism => {
      const wrong = secured({ mechanism, password: 'wrong-and-secret' })
      await expect(wrong).rejects.toMatchObject({ code: 'KAFKA_LOGIN_REFUSED', retryable: false })
      await expect(wrong).rejects.toThrow(/the broker refused user or password; correct `kafka\.sasl`/)
      const all = kafka.said.join('\n') + String(await wrong.catch(error => error.stack))
      expect(all).not.toContain('wrong-and-secret')
      expect(all).not.toContain(PASSWORD)
    },
  )

  test('a certificate that nobody vouches for is for a person', async () => {
    const refused = secured({}, true)
    await expect(refused).rejects.toMatchObject({ code: 'KAFKA_TLS_REFUSED', retryable: false })
    await expect(refused).rejects.toThrow(/correct `kafka\.tls`/)
  })

  test('brokers that do not answer may answer later', async () => {
    const connection = kafka.connect({ brokers: [`127.0.0.1:${await freePort()}`] })
    const away = connection.admin('The cluster is looked at', admin => admin.describeCluster())
    await expect(away).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE', retryable: true })
    await expect(away).rejects.toThrow(/ECONNREFUSED/)
  })

  test('a right that is denied is named, and may be given without a restart', async () => {
    const { eventLog: topic } = await kafka.topics()
    const acl = {
      resourceType: AclResourceTypes.TOPIC,
      resourceName: topic,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: 'User:alice',
      host: '*',
      operation: AclOperationTypes.WRITE,
      permissionType: AclPermissionTypes.DENY,
    }
    await kafka.connection.admin('A right is taken', admin => admin.createAcls({ acl: [acl] }))
    const sasl = { mechanism: 'plain' as const, username: 'alice', password: PASSWORD }
    const alice = kafka.connect({ brokers: kafka.broker.securedBootstrap, ssl: { caFile: ca }, sasl })
    const producer = new CheckedProducer({ kafka: alice, metrics: kafka.metrics, log: kafka.log })
    const send = (): Promise<void> => producer.send(topic, 0, [{ value: 'x' }])
    await until(
      () =>
        send().then(
          () => false,
          error => error.code === 'KAFKA_DENIED' && error.retryable,
        ),
      'it is denied',
    )
    await kafka.connection.admin('A right is given', admin => admin.deleteAcls({ filters: [acl] }))
    await until(
      () =>
        send().then(
          () => true,
          () => false,
        ),
      'it is allowed',
    )
    await producer.close()
  })
})
