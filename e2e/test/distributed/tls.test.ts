import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  freePort,
  type Hdfs,
  type MariadbDatabase,
  type MariadbServer,
  type RedisServer,
  startHdfs,
  startMariadb,
  startRedis,
} from '@headwater/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandSays } from '../../src/distributed/command-says.ts'
import { servicesThere } from '../../src/distributed/services-there.ts'
import type { Settings } from '../../src/headwater-process.ts'

const NAMES = 'subjectAltName=DNS:localhost,IP:127.0.0.1'

describe.skipIf(!servicesThere())('stores that are reached by TLS with a certificate of our own', () => {
  const dir = mkdtempSync(join(tmpdir(), 'headwater-tls-'))
  const [ca, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
  let redis: RedisServer
  let mariadb: MariadbServer
  let database: MariadbDatabase
  let hdfs: Hdfs
  /** All stores by TLS, nothing about whom to trust. */
  let settings: Settings
  const says = (args: string[], more: Settings = {}) => commandSays(join(dir, 'data'), { ...settings, ...more }, args)

  beforeAll(async () => {
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=localhost']
    execFileSync('openssl', [...request, '-addext', NAMES, '-keyout', key, '-out', ca], { stdio: 'ignore' })
    // MariaDB may run as another user than the test.
    chmodSync(dir, 0o755)
    chmodSync(key, 0o644)
    const [redisTls, nameNodeTls, dataNodeTls] = await Promise.all([freePort(), freePort(), freePort()])
    const tls = ['--tls-port', String(redisTls), '--tls-cert-file', ca, '--tls-key-file', key, '--tls-ca-cert-file', ca]
    const hdfsFolder = join(dir, 'hdfs')
    writeSslServer(hdfsFolder)
    const started = await Promise.all([
      startRedis({ args: [...tls, '--tls-auth-clients', 'no'] }),
      startMariadb({ args: [`--ssl-cert=${ca}`, `--ssl-key=${key}`] }),
      startHdfs({
        folder: hdfsFolder,
        properties: {
          'dfs.http.policy': 'HTTP_AND_HTTPS',
          'dfs.namenode.https-address': `127.0.0.1:${nameNodeTls}`,
          'dfs.datanode.https.address': `127.0.0.1:${dataNodeTls}`,
        },
      }),
    ])
    ;[redis, mariadb, hdfs] = started
    database = await mariadb.database()
    await mariadb.sql(`ALTER USER '${database.user}'@'127.0.0.1' REQUIRE SSL`)
    settings = {
      HEADWATER_KAFKA_BROKERS: '127.0.0.1:9',
      HEADWATER_REDIS_URL: `rediss://127.0.0.1:${redisTls}/0`,
      HEADWATER_MARIADB_HOST: database.host,
      HEADWATER_MARIADB_PORT: String(database.port),
      HEADWATER_MARIADB_USER: database.user,
      HEADWATER_MARIADB_PASSWORD: database.password,
      HEADWATER_MARIADB_DATABASE: database.database,
      HEADWATER_MARIADB_TLS_MODE: 'on',
      HEADWATER_HDFS_NAME_NODES: `https://127.0.0.1:${nameNodeTls}`,
      HEADWATER_HDFS_DATA_NODES: `127.0.0.1:${dataNodeTls}`,
    }
  }, 300_000)
  afterAll(async () => {
    await Promise.all([redis?.stop(), mariadb?.stop(), hdfs?.stop()])
    rmSync(dir, { recursive: true, force: true })
  })

  /** What HDFS reads its key from. */
  function writeSslServer(folder: string): void {
    mkdirSync(join(folder, 'conf'), { recursive: true })
    const store = join(folder, 'store.p12')
    const password = 'no-secret'
    const pair = ['-in', ca, '-inkey', key, '-out', store, '-passout', `pass:${password}`]
    execFileSync('openssl', ['pkcs12', '-export', ...pair])
    const properties = Object.entries({
      'ssl.server.keystore.type': 'pkcs12',
      'ssl.server.keystore.location': store,
      'ssl.server.keystore.password': password,
      'ssl.server.keystore.keypassword': password,
    })
    const lines = properties.map(([name, value]) => `<property><name>${name}</name><value>${value}</value></property>`)
    writeFileSync(join(folder, 'conf', 'ssl-server.xml'), `<configuration>${lines.join('\n')}</configuration>`)
  }

  const trusted: Settings = {
    HEADWATER_REDIS_TLS_CA: ca,
    HEADWATER_MARIADB_TLS_CA: ca,
    HEADWATER_HDFS_TLS_CA: ca,
  }

  it('MariaDB and Redis are used when the certificate is trusted, and only then', async () => {
    expect(await says(['db', 'migrate'])).toMatchObject({ code: 1, text: expect.stringMatching(/self.signed/) })
    expect(await says(['db', 'migrate'], trusted)).toMatchObject({ code: 0 })
    expect(await says(['stats', '--json'], trusted)).toMatchObject({ code: 0 })
    expect(await says(['stats'], { ...trusted, HEADWATER_REDIS_TLS_CA: join(dir, 'none.pem') })).toMatchObject({
      code: 1,
    })
    const { HEADWATER_REDIS_TLS_CA: _, ...without } = trusted
    expect(await says(['stats'], without)).toMatchObject({ code: 1, text: expect.stringMatching(/self.signed/) })
  }, 60_000)

  it('HDFS takes and gives files, its DataNode too, when the certificate is trusted, and only then', async () => {
    const hdfsFound = async (more: Settings) =>
      (
        JSON.parse((await says(['doctor', '--json'], more)).text) as {
          check: string
          verdict: string
          message: string
        }[]
      )
        .filter(({ check }) => check === 'hdfs' || check === 'mariadb' || check === 'redis')
        .map(({ check, verdict }) => `${check} ${verdict}`)
    expect(await hdfsFound(trusted)).toEqual(['redis ok', 'mariadb ok', 'hdfs ok'])
    const { HEADWATER_HDFS_TLS_CA: _, ...without } = trusted
    expect(await hdfsFound(without)).toEqual(['redis ok', 'mariadb ok', 'hdfs fail'])
  }, 90_000)
})
