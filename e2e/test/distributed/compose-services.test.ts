import { execFile, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  accepts,
  findFluentd,
  findHdfs,
  findKafka,
  findMariadb,
  findNginx,
  findProgram,
  findRedis,
  firstAnswer,
  fluentdMissing,
  freePort,
  HDFS_MISSING,
  KAFKA_MISSING,
  mavenJars,
  type ServiceProcess,
  serviceOrSkip,
  startServiceProcess,
} from '@headwater/testkit'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { type HeadwaterProcess, startHeadwater } from '../../src/headwater-process.ts'
import { until } from '../../src/until.ts'

// The files that the containers run with, run by the real services here. Only ports and folders are others.

const run = promisify(execFile)
const compose = fileURLToPath(new URL('../../../compose', import.meta.url))
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

function newFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `compose-${name}-`))
  afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

/** A program of the test's own on the PATH, in place of one that the image has. */
function script(folder: string, name: string, text: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
}

const JAVA = 'java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -Djava.net.preferIPv4Stack=true -Xmx256m'

describe.skipIf(!serviceOrSkip('redis-server', findRedis(), 'Debian: redis-server'))('redis', () => {
  const folder = newFolder('redis')
  const password = '0123456789abcdef'
  const start = [join(compose, 'redis/start-redis.sh'), join(compose, 'redis/redis.conf')]
  let redis: ServiceProcess
  let port: number
  const cli = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, REDISCLI_AUTH: password }
    return (await run('redis-cli', ['-p', String(port), ...args], { env })).stdout.trim()
  }

  beforeAll(async () => {
    port = await freePort()
    redis = await startServiceProcess({
      name: 'Redis',
      command: ['sh', ...start, '--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
      logFile: join(folder, 'log'),
      env: { ...process.env, REDIS_PASSWORD: password },
      isReady: async () => String(await firstAnswer(port, `AUTH ${password}\r\n`)).startsWith('+OK'),
    })
  })
  afterAll(() => redis?.kill())

  it('never makes room by deleting, and writes all to the append-only file', async () => {
    expect(await cli('config', 'get', 'maxmemory-policy')).toBe('maxmemory-policy\nnoeviction')
    expect(await cli('config', 'get', 'appendonly')).toBe('appendonly\nyes')
    expect(await cli('config', 'get', 'appendfsync')).toBe('appendfsync\neverysec')
    expect(await cli('config', 'get', 'maxmemory')).toBe(`maxmemory\n${2 ** 30}`)
    await cli('set', 'kept', '1')
    await cli('config', 'set', 'maxmemory', '1')
    expect(await cli('set', 'more', '1')).toContain('OOM')
    expect(await cli('get', 'kept')).toBe('1')
  })

  it('answers nobody without the password, which stands in no list of processes', async () => {
    expect(String(await firstAnswer(port, 'GET kept\r\n'))).toContain('NOAUTH')
    expect(readFileSync(`/proc/${redis.pid()}/cmdline`, 'utf8')).not.toContain(password)
  })

  it('knows everything after kill -9', async () => {
    await cli('config', 'set', 'maxmemory', '0')
    await cli('set', 'counter', '42')
    await redis.kill()
    await redis.restart()
    expect(await cli('get', 'counter')).toBe('42')
  })

  it('does not start without a password, nor with one that its configuration would read otherwise', async () => {
    const without = run('sh', start, { env: { PATH: process.env.PATH } })
    await expect(without).rejects.toMatchObject({ stderr: expect.stringContaining('would answer everybody') })
    const odd = run('sh', start, { env: { PATH: process.env.PATH, REDIS_PASSWORD: 'a b' } })
    await expect(odd).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('letters, digits') })
  })
})

describe.skipIf(!serviceOrSkip('mariadbd', findMariadb(), 'Debian: mariadb-server'))('mariadb', () => {
  const folder = newFolder('db')
  const socket = join(folder, 's')
  const user = process.getuid?.() === 0 ? ['--user=root'] : []
  let mariadb: ServiceProcess
  const sql = async (statement: string): Promise<string> =>
    (
      await run('mariadb', [
        '--no-defaults',
        '-S',
        socket,
        '-uroot',
        '-N',
        '-B',
        '--default-character-set=utf8mb4',
        '-e',
        statement,
      ])
    ).stdout.trim()

  beforeAll(async () => {
    const data = join(folder, 'data')
    const install = ['--no-defaults', ...user, `--datadir=${data}`, '--auth-root-authentication-method=normal']
    await run('mariadb-install-db', [...install, '--skip-test-db', '--innodb-log-file-size=8M'])
    const port = await freePort()
    const defaults = `--defaults-file=${join(compose, 'mariadb/headwater.cnf')}`
    const places = [`--datadir=${data}`, `--socket=${socket}`, `--pid-file=${join(folder, 'p')}`, `--tmpdir=${folder}`]
    mariadb = await startServiceProcess({
      name: 'MariaDB',
      command: [findMariadb() as string, defaults, ...user, ...places, `--port=${port}`, '--bind-address=127.0.0.1'],
      logFile: join(folder, 'log'),
      isReady: async () => (await firstAnswer(port))?.[4] === 10,
    })
  })
  afterAll(() => mariadb?.kill())

  it('lives in UTC, whatever the zone of its machine', async () => {
    expect(await sql('SELECT @@global.time_zone, timestampdiff(MINUTE, utc_timestamp(), now())')).toBe('+00:00\t0')
  })

  it('takes every character, and refuses what does not fit', async () => {
    expect(await sql('SELECT @@character_set_server')).toBe('utf8mb4')
    await sql("CREATE DATABASE t; CREATE TABLE t.t (name VARCHAR(3)); INSERT INTO t.t VALUES ('😀')")
    expect(await sql('SELECT hex(name) FROM t.t')).toBe('F09F9880')
    await expect(sql("INSERT INTO t.t VALUES ('four')")).rejects.toThrow('Data too long')
  })

  it('keeps what was saved when the power goes, and asks no name server', async () => {
    expect(await sql('SELECT @@innodb_flush_log_at_trx_commit, @@skip_name_resolve, @@max_connections')).toBe(
      '1\t1\t200',
    )
  })
})

describe.skipIf(!serviceOrSkip('kafka', findKafka(), KAFKA_MISSING))('kafka', () => {
  const folder = newFolder('kafka')
  let broker: ServiceProcess
  let client: Kafka

  beforeAll(async () => {
    const jars = await mavenJars('kafka')
    script(folder, 'kafka-storage.sh', `exec ${JAVA} -cp '${jars}/*' kafka.tools.StorageTool "$@"`)
    script(folder, 'kafka-server-start.sh', `exec ${JAVA} -cp '${jars}/*' kafka.Kafka "$@"`)
    const [port, controller] = await Promise.all([freePort(), freePort()])
    const overrides = [
      `controller.quorum.voters=1@127.0.0.1:${controller}`,
      `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
      `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
      `log.dirs=${join(folder, 'data')}`,
    ]
    broker = await startServiceProcess({
      name: 'Kafka',
      command: ['sh', join(compose, 'kafka/start-broker.sh'), join(compose, 'kafka/server.properties'), ...overrides],
      logFile: join(folder, 'log'),
      env: {
        ...process.env,
        KAFKA_BIN: folder,
        TMPDIR: folder,
        BROKER_ID: '1',
        BROKER_HOST: 'kafka-1',
        CLUSTER_ID: 'aGVhZHdhdGVyLWthZmthMQ',
      },
      isReady: () => accepts(port),
    })
    process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
    client = new Kafka({ brokers: [`127.0.0.1:${port}`], logLevel: logLevel.NOTHING, retry: { retries: 4 } })
  })
  afterAll(() => broker?.kill())

  it('has the settings that the promises rest on, also after a restart on its data', async () => {
    await broker.kill()
    await broker.restart()
    const admin = client.admin()
    await admin.connect()
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 4, name: '1' }], // 4: a broker
    })
    await admin.disconnect()
    const settings = Object.fromEntries(
      resources[0]?.configEntries.map(entry => [entry.configName, entry.configValue]) ?? [],
    )
    expect(settings).toMatchObject({
      'auto.create.topics.enable': 'false',
      'default.replication.factor': '3',
      'min.insync.replicas': '2',
      'unclean.leader.election.enable': 'false',
      'offsets.topic.replication.factor': '3',
      'log.message.timestamp.type': 'LogAppendTime',
      'log.retention.hours': '168',
      'offsets.retention.minutes': '43200',
    })
  })

  it('makes no topic by itself, none with fewer copies unless told so, and gives records its own time', async () => {
    const admin = client.admin()
    await admin.connect()
    await expect(admin.fetchTopicMetadata({ topics: ['by-accident'] })).rejects.toThrow()
    expect(await admin.listTopics()).toEqual([])
    const create = (topic: string, replicationFactor: number) =>
      admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor }], waitForLeaders: false })
    // -1: as many as the broker says, which are more than there are brokers here.
    await expect(create('three-copies', -1)).rejects.toMatchObject({ errors: [{ type: 'INVALID_REPLICATION_FACTOR' }] })
    await create('one-copy', 1)
    await admin.disconnect()
    const producer = client.producer({ allowAutoTopicCreation: false })
    await producer.connect()
    const before = Date.now()
    const [sent] = await producer.send({ topic: 'one-copy', acks: -1, messages: [{ value: 'a', timestamp: '1000' }] })
    expect(Number(sent?.logAppendTime)).toBeGreaterThanOrEqual(before)
    await producer.disconnect()
  })
})

describe.skipIf(!serviceOrSkip('hdfs', findHdfs(), HDFS_MISSING))('hdfs', () => {
  const folder = newFolder('hdfs')
  const hdfs = join(compose, 'hdfs')
  let nameNode: ServiceProcess
  let dataNode: ServiceProcess
  let overrides: string[]
  let [rpc, http, data, dataHttp, dataIpc] = [0, 0, 0, 0, 0]
  const env = {
    ...process.env,
    PATH: `${folder}:${process.env.PATH}`,
    HADOOP_CONF_DIR: hdfs,
    HDFS_NAME_DIR: join(folder, 'nn'),
  }
  const healthy = async (part: string, port: number): Promise<boolean> =>
    run('bash', [join(hdfs, 'healthy.sh'), part, `127.0.0.1:${port}`]).then(
      () => true,
      () => false,
    )
  const webHdfs = async (method: string, path: string, user: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${http}/webhdfs/v1${path}&user.name=${user}`, { method })

  beforeAll(async () => {
    const jars = await mavenJars('hdfs')
    for (const part of ['hdfs', 'datanode', 'static']) mkdirSync(join(folder, 'webapps', part), { recursive: true })
    script(
      folder,
      'hdfs',
      `case $1 in
        namenode) class=org.apache.hadoop.hdfs.server.namenode.NameNode ;;
        datanode) class=org.apache.hadoop.hdfs.server.datanode.DataNode ;;
        dfsadmin) class=org.apache.hadoop.hdfs.tools.DFSAdmin ;;
        dfs) class=org.apache.hadoop.fs.FsShell ;;
      esac
      shift
      exec ${JAVA} -cp "$HADOOP_CONF_DIR:${folder}:${jars}/*" $class "$@"`,
    )
    ;[rpc, http, data, dataHttp, dataIpc] = (await Promise.all([0, 1, 2, 3, 4].map(freePort))) as [
      number,
      number,
      number,
      number,
      number,
    ]
    overrides = Object.entries({
      'fs.defaultFS': `hdfs://127.0.0.1:${rpc}`,
      'dfs.namenode.http-address': `127.0.0.1:${http}`,
      'dfs.namenode.name.dir': `file://${join(folder, 'nn')}`,
      'dfs.datanode.data.dir': `file://${join(folder, 'dn')}`,
      'dfs.datanode.address': `127.0.0.1:${data}`,
      'dfs.datanode.http.address': `127.0.0.1:${dataHttp}`,
      'dfs.datanode.ipc.address': `127.0.0.1:${dataIpc}`,
      'dfs.datanode.du.reserved.calculator':
        'org.apache.hadoop.hdfs.server.datanode.fsdataset.impl.ReservedSpaceCalculator$ReservedSpaceCalculatorAbsolute',
    }).flatMap(([name, value]) => ['-D', `${name}=${value}`])
    nameNode = await startServiceProcess({
      name: 'NameNode',
      command: ['sh', join(hdfs, 'start-namenode.sh'), ...overrides],
      logFile: join(folder, 'nn.log'),
      env,
      isReady: () => accepts(http),
    })
  })
  afterAll(async () => {
    await dataNode?.kill()
    await nameNode?.kill()
  })

  it('is healthy when a file can be written: not before a DataNode has reported', async () => {
    expect(await healthy('namenode', http)).toBe(false)
    expect(await healthy('datanode', dataHttp)).toBe(false)
    dataNode = await startServiceProcess({
      name: 'DataNode',
      command: [join(folder, 'hdfs'), 'datanode', ...overrides],
      logFile: join(folder, 'dn.log'),
      env,
      isReady: () => healthy('datanode', dataHttp),
    })
    await until('the NameNode to leave safe mode', async () => (await healthy('namenode', http)) || undefined, 60_000)
  })

  it('has the archive’s folder, into which the workers’ user writes and nobody else', async () => {
    await run('sh', [join(hdfs, 'make-root.sh'), '/headwater', 'headwater', ...overrides], { env })
    const { FileStatus } = (await (await webHdfs('GET', '/headwater?op=GETFILESTATUS', 'anybody')).json()) as {
      FileStatus: { owner: string; permission: string }
    }
    expect(FileStatus).toMatchObject({ owner: 'headwater', permission: '755' })
    const refused = await webHdfs('PUT', '/headwater/stranger?op=MKDIRS', 'stranger')
    expect(await refused.text()).toContain('AccessControlException')
    expect((await webHdfs('PUT', '/headwater/event_log?op=MKDIRS', 'headwater')).status).toBe(200)
  })

  it('sends the workers to the DataNode by the name of its container', async () => {
    /** The DataNode's address for an operation, with the name that only containers know replaced. */
    const locate = async (method: string, operation: string): Promise<URL> => {
      const answer = await webHdfs(method, `/headwater/file?noredirect=true&${operation}`, 'headwater')
      const location = new URL(((await answer.json()) as { Location: string }).Location)
      expect(location.host).toBe(`datanode:${dataHttp}`)
      location.hostname = '127.0.0.1'
      return location
    }
    // As the workers do, more than once: a DataNode whose heartbeat is late gets no block for a while.
    const answers: string[] = []
    while (answers.at(-1) !== '201 ' && answers.length < 10) {
      if (answers.length > 0) await new Promise(resolve => setTimeout(resolve, 1_000))
      answers.push(await upload(await locate('PUT', 'op=CREATE&overwrite=true'), 'whole'))
    }
    expect(answers.at(-1)).toBe('201 ')
    expect(await (await fetch(await locate('GET', 'op=OPEN'))).text()).toBe('whole')
  })

  it('is the same file system after kill -9 of the NameNode: what is there is never formatted', async () => {
    await nameNode.kill()
    await nameNode.restart()
    await until('the NameNode to leave safe mode', async () => (await healthy('namenode', http)) || undefined, 60_000)
    expect(await (await webHdfs('GET', '/headwater?op=LISTSTATUS', 'anybody')).text()).toContain('"length":5')
  })
})

const findEdge = (): boolean =>
  findNginx() !== undefined && ['envsubst', 'curl'].every(name => findProgram(name) !== undefined)
describe.skipIf(!serviceOrSkip('nginx edge', findEdge(), 'Debian: nginx-light, gettext-base, curl'))('nginx', () => {
  // As a user who may do nothing, when the test is root: vitest's own temporary folder lets nobody else in.
  const nobody = process.getuid?.() === 0 ? 65_534 : undefined
  let folder: string
  let log: string
  let nginx: ServiceProcess
  let gateway: HeadwaterProcess
  let port: number
  let statusPort: number
  let env: NodeJS.ProcessEnv
  const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`)
  const asNobody = nobody === undefined ? [] : ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups']

  beforeAll(async () => {
    folder = mkdtempSync(join(nobody === undefined ? tmpdir() : dirname(tmpdir()), 'compose-nginx-'))
    log = join(folder, 'log', 'access.log')
    chmodSync(folder, 0o755)
    for (const name of ['log', 'run']) {
      mkdirSync(join(folder, name))
      if (nobody !== undefined) chownSync(join(folder, name), nobody, nobody)
    }
    gateway = await startHeadwater(join(folder, 'gateway'), { HEADWATER_GATEWAY_HOST: '127.0.0.1' }, ['gateway'])
    ;[port, statusPort] = (await Promise.all([freePort(), freePort()])) as [number, number]
    env = {
      PATH: `${process.env.PATH}:/usr/sbin`,
      HEADWATER_CONF: join(compose, '../nginx'),
      HEADWATER_LISTEN: String(port),
      HEADWATER_STATUS: `127.0.0.1:${statusPort}`,
      HEADWATER_LOG: log,
      HEADWATER_RUN: join(folder, 'run'),
      HEADWATER_GATEWAY: `127.0.0.1:${gateway.ports.gateway}`,
      HEADWATER_RESOLVER: '127.0.0.1', // an address needs none
      LOG_ROTATE_BYTES: '20000',
      LOG_LOOK_SECONDS: '0.1',
    }
    nginx = await startServiceProcess({
      name: 'NGINX',
      command: [...asNobody, 'sh', join(compose, 'nginx/start-nginx.sh')],
      logFile: join(folder, 'output'),
      env,
      isReady: () => accepts(port),
    })
  })
  afterAll(async () => {
    await nginx?.kill('SIGQUIT')
    await gateway?.kill()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })

  it('takes beacons, serves the script of the gateway, and shows its figures to its own machine only', async () => {
    expect((await get('/5?e_c=a&e_a=b')).status).toBe(204)
    const script = await get('/headwater.js')
    expect(script.status).toBe(200)
    expect(script.headers.get('cache-control')).toBe('public, max-age=3600')
    expect(script.headers.get('access-control-allow-origin')).toBe('*')
    expect(await script.text()).toContain('sendBeacon')
    expect((await get('/stub_status')).status).toBe(404)
    expect(await (await fetch(`http://127.0.0.1:${statusPort}/stub_status`)).text()).toContain('Active connections')
    expect((await get('/metrics')).status).toBe(404)
  })

  it('loses no line while its log is rotated, as a user who is no root', async () => {
    const sent: string[] = []
    const rotated = (): string[] => readdirSync(dirname(log)).filter(name => name.startsWith('access.log-'))
    await until(
      'three rotations',
      async () => {
        const ids = Array.from({ length: 20 }, (_, i) => `${sent.length + i}`.padStart(22, 'r'))
        await Promise.all(ids.map(async id => expect((await get(`/5?e_c=a&e_a=b&hw_id=${id}`)).status).toBe(204)))
        sent.push(...ids)
        return rotated().length >= 3 || undefined
      },
      30_000,
    )
    // NGINX answers before it logs, and the last rotation may still be under way: the log is not opened anew yet.
    const ids = await until('every line', async () => {
      if (!existsSync(log)) return undefined
      const text = [...rotated(), 'access.log'].map(name => readFileSync(join(dirname(log), name), 'utf8')).join('')
      const found = Array.from(text.matchAll(/hw_id=(\w{22})/g), ([, id]) => id)
      return found.length < sent.length ? undefined : found
    })
    expect(ids.sort()).toEqual(sent.sort())
  })

  it('deletes rotated logs after the days that were asked for, and no others', async () => {
    const old = join(dirname(log), 'access.log-20250101T000000Z')
    const young = join(dirname(log), 'access.log-20250102T000000Z')
    const foreign = join(dirname(log), 'other.log-20250101T000000Z')
    const days = (n: number): Date => new Date(Date.now() - n * 86_400_000)
    for (const [file, age] of [
      [old, 8],
      [young, 6],
      [foreign, 8],
    ] as const) {
      writeFileSync(file, 'x\n')
      if (nobody !== undefined) chownSync(file, nobody, nobody)
      utimesSync(file, days(age), days(age))
    }
    await until('the old one to be gone', async () => !existsSync(old) || undefined)
    expect([young, foreign].map(file => existsSync(file))).toEqual([true, true])
  })

  it('is healthy while it answers and its log is rotated', async () => {
    const health = () => run('sh', [join(compose, 'nginx/healthy.sh')], { env })
    await health()
    const alive = join(folder, 'run', 'rotate.alive')
    const rotator = (await run('pgrep', ['-P', String(nginx.pid()), '-f', 'rotate-log.sh'])).stdout.trim()
    process.kill(Number(rotator), 'SIGKILL')
    const past = new Date(Date.now() - 300_000)
    // A `touch` that the killed script had begun ends after it.
    const complaint = await until('a bad health', async () => {
      utimesSync(alive, past, past)
      return health().then(
        () => undefined,
        ({ stderr }: { stderr: string }) => stderr,
      )
    })
    expect(complaint).toContain('the log is not rotated')
  })

  it('takes beacons when there is no gateway, and after kill -9 of itself', async () => {
    await gateway.kill()
    expect((await get('/headwater.js')).status).toBe(502)
    expect((await get('/5?e_c=a&e_a=b')).status).toBe(204)
    // In a container all processes end with the first.
    const workers = (await run('pgrep', ['-P', String(nginx.pid())])).stdout.trim().split('\n')
    await nginx.kill()
    for (const worker of workers) process.kill(Number(worker), 'SIGKILL')
    await until('its workers to be gone', async () => !(await accepts(port)) || undefined)
    await nginx.restart()
    const answer = await fetch(`http://127.0.0.1:${port}/5`, { method: 'POST', body: 'e_c=a&e_a=b' })
    expect(answer.status).toBe(204)
    // NGINX writes the line after the answer.
    await until('its line', async () => /"e_c=a&e_a=b"$/.test(readFileSync(log, 'utf8').trimEnd()) || undefined)
  })
})

describe.skipIf(!serviceOrSkip('fluentd', findFluentd(), fluentdMissing()))('fluentd', () => {
  const folder = newFolder('fluentd')
  const file = readFileSync(join(compose, '../docker-compose.yml'), 'utf8')
  const { services } = parse(file, { merge: true }) as { services: Record<string, { environment: NodeJS.ProcessEnv }> }

  it.each(['fluentd-nginx', 'fluentd-gateway'])('%s has a configuration that it can run with', async name => {
    const own = { HEADWATER_POS_FILE: join(folder, 'pos'), HEADWATER_BUFFER: join(folder, 'buffer') }
    const env = { ...process.env, ...services[name]?.environment, ...own }
    const args = ['--dry-run', '-c', join(compose, '../fluentd/fluent.conf')]
    const { stdout } = await run(findFluentd() as string, args, { env })
    expect(stdout).toContain('finished dry run mode')
    expect(stdout).not.toMatch(/\[error\]|parameter '.*' in .* is not used/)
    expect(stdout).toContain(services[name]?.environment.HEADWATER_LOG)
    expect(stdout).toContain('kafka-1:9092,kafka-2:9092,kafka-3:9092')
  })
})

describe('gateway-old-logs', () => {
  it('deletes rotated logs of a gateway after the days that were asked for', async () => {
    const folder = newFolder('old-logs')
    const file = (name: string, ageDays: number): string => {
      const path = join(folder, name)
      writeFileSync(path, 'x\n')
      const at = new Date(Date.now() - ageDays * 86_400_000)
      utimesSync(path, at, at)
      return path
    }
    const old = file('access.log.2025-01-01T00-00-00.000Z', 3.5)
    const kept = [file('access.log', 9), file('access.log.2025-01-02T00-00-00.000Z', 2.5), file('other.log.2025', 9)]
    const child = spawn('sh', [join(compose, 'edge/delete-old-logs.sh'), join(folder, 'access.log')], {
      env: { ...process.env, TMPDIR: folder, LOG_KEEP_DAYS: '3', LOG_LOOK_SECONDS: '0.1' },
      stdio: 'ignore',
    })
    try {
      await until('the old one to be gone', async () => !existsSync(old) || undefined)
    } finally {
      child.kill('SIGKILL')
    }
    expect(kept.map(path => existsSync(path))).toEqual([true, true, true])
  })
})

/** `fetch` cannot upload to a DataNode, which says `100 Continue` unasked. Resolves with status and answer. */
function upload(to: URL, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': Buffer.byteLength(body) }
    const sending = request(to, { method: 'PUT', headers, agent: false }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', chunk => chunks.push(chunk as Buffer))
      answer.once('end', () => resolve(`${answer.statusCode} ${Buffer.concat(chunks)}`))
    })
    sending.once('error', reject)
    sending.end(body)
  })
}
