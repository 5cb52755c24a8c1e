import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Daemon } from './daemon.ts'
import { onFreePorts } from './free-port.ts'
import { findJavaFor, JAVA_MISSING, mavenJars } from './maven-jars.ts'
import { serviceFolder } from './service-folder.ts'

const run = promisify(execFile)

/** `nn`: the NameNode; `dn`: the DataNode. */
export type HdfsNode = 'nn' | 'dn'

/** An HDFS of the test's own: one NameNode and one DataNode on 127.0.0.1, WebHDFS on. */
export interface Hdfs {
  /** `http://127.0.0.1:port` of the NameNode; WebHDFS is at `/webhdfs/v1`. */
  readonly nameNodeUrl: string
  /** `127.0.0.1:port` that the NameNode's redirects name. */
  readonly dataNode: string
  /** Whoever started the processes: may do everything, also with permissions on. */
  readonly superuser: string
  /** Holds `conf`, `nn`, `dn`, `nn.log` and `dn.log`. */
  readonly folder: string
  pid(which: HdfsNode): number
  /** Ends a process at once (default SIGKILL); its data stays. Resolves when it is gone. */
  kill(which: HdfsNode, signal?: NodeJS.Signals): Promise<void>
  /** Starts a process that was killed (kills it first when it runs), on its data and its ports. Resolves as `ready` does. */
  restart(which: HdfsNode): Promise<void>
  /** The same, without waiting until it is of use: a NameNode without DataNodes stays in safe mode. */
  start(which: HdfsNode): void
  /** Waits until the NameNode is out of safe mode and the DataNode reports to it: until a file can be written. */
  ready(): Promise<void>
  /** SIGSTOP. */
  pause(which: HdfsNode): void
  /** SIGCONT. */
  resume(which: HdfsNode): void
  /** `hdfs dfsadmin …`; resolves with what it printed. Takes a few seconds. */
  dfsadmin(...args: string[]): Promise<string>
  /** Kills both; removes the folder unless the caller gave it. */
  stop(): Promise<void>
}

export interface HdfsOptions {
  /** Whether HDFS asks who may do what. Default false: everybody may do everything. */
  permissions?: boolean
  /** More properties of `hdfs-site.xml`, over ours. */
  properties?: Readonly<Record<string, string>>
  /** Default: a new folder, removed by `stop`. One that was used before goes on with its data. */
  folder?: string
}

/** The clock for a start: 8 s of an idle machine, 43 s were seen on a loaded one. */
const START_LIMIT_MS = 120_000
const MAIN_CLASS: Readonly<Record<HdfsNode, string>> = {
  nn: 'org.apache.hadoop.hdfs.server.namenode.NameNode',
  dn: 'org.apache.hadoop.hdfs.server.datanode.DataNode',
}

/** What it runs with on this machine, or undefined. */
export function findHdfs(): string | undefined {
  return findJavaFor('hdfs')
}

/** What to tell whoever has no HDFS. */
export const HDFS_MISSING = JAVA_MISSING

/** Starts an HDFS and waits until a file can be written. */
export async function startHdfs(options: HdfsOptions = {}): Promise<Hdfs> {
  const jars = await mavenJars('hdfs')
  const { folder, remove } = serviceFolder('headwater-hdfs', options.folder)
  return onFreePorts(5, async (...ports) => {
    const hdfs = new OneNodeHdfs(folder, jars, ports)
    hdfs.configure(options)
    try {
      if (!existsSync(join(folder, 'nn', 'current'))) await hdfs.java(MAIN_CLASS.nn, '-format', '-nonInteractive')
      hdfs.nn.start()
      hdfs.dn.start()
      await hdfs.ready()
    } catch (error) {
      await hdfs.end()
      throw error
    }
    return {
      nameNodeUrl: hdfs.nameNodeUrl,
      dataNode: hdfs.dataNode,
      superuser: process.env.HADOOP_USER_NAME ?? userInfo().username,
      folder,
      pid: which => hdfs[which].pid,
      kill: (which, signal) => hdfs[which].kill(signal),
      async restart(which) {
        await hdfs[which].kill()
        hdfs[which].start()
        await hdfs.ready()
      },
      start: which => hdfs[which].start(),
      ready: () => hdfs.ready(),
      pause: which => hdfs[which].pause(),
      resume: which => hdfs[which].resume(),
      dfsadmin: (...args) => hdfs.java('org.apache.hadoop.hdfs.tools.DFSAdmin', ...args),
      async stop() {
        await hdfs.end()
        remove()
      },
    }
  })
}

/** Both processes, their configuration and their ports. */
class OneNodeHdfs {
  readonly nameNodeUrl: string
  readonly dataNode: string
  readonly nn: Daemon
  readonly dn: Daemon
  readonly #folder: string
  readonly #jars: string
  readonly #ports: readonly number[]

  constructor(folder: string, jars: string, ports: readonly number[]) {
    this.#folder = folder
    this.#jars = jars
    this.#ports = ports
    this.nameNodeUrl = `http://127.0.0.1:${ports[1]}`
    this.dataNode = `127.0.0.1:${ports[3]}`
    const daemon = (which: HdfsNode): Daemon => {
      const java = [...JAVA_OPTIONS, '-Xms16m', '-Xmx128m', '-cp', this.#classPath(), MAIN_CLASS[which]]
      return new Daemon({ name: `The ${which}`, command: ['java', ...java], logFile: join(folder, `${which}.log`) })
    }
    this.nn = daemon('nn')
    this.dn = daemon('dn')
  }

  configure(options: HdfsOptions): void {
    // hadoop-hdfs.jar has no webapps/, and the daemons want the folders on their class path: empty ones do.
    for (const part of ['webapps/hdfs', 'webapps/datanode', 'webapps/static'])
      mkdirSync(join(this.#folder, 'conf', part), { recursive: true })
    const file = (name: string, text: string): void => writeFileSync(join(this.#folder, 'conf', name), text)
    file('core-site.xml', xml(coreSite(this.#folder, this.#ports)))
    file('hdfs-site.xml', xml({ ...hdfsSite(this.#folder, this.#ports, options), ...options.properties }))
    file('log4j.properties', LOG4J)
  }

  /** Runs a tool to its end. */
  async java(mainClass: string, ...args: string[]): Promise<string> {
    const command = [...JAVA_OPTIONS, '-Xmx96m', '-cp', this.#classPath(), mainClass, ...args]
    try {
      return (await run('java', command, { timeout: START_LIMIT_MS, maxBuffer: 16 * 1024 * 1024 })).stdout
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
      throw new Error(`${mainClass} ${args.join(' ')} failed. It said: ${(stdout + stderr).slice(-2_000) || error}`)
    }
  }

  async ready(): Promise<void> {
    const deadline = Date.now() + START_LIMIT_MS
    while (!(await this.#isReady())) {
      const ended = (['nn', 'dn'] as const).find(which => !this[which].isRunning)
      if (ended === undefined && Date.now() < deadline) {
        await new Promise(resolve => setTimeout(resolve, 100))
        continue
      }
      const said = this[ended ?? 'nn'].said()
      throw new Error(`HDFS is not ready: ${ended ? `the ${ended} ended` : 'after 120 s'}. It said: ${said}`)
    }
  }

  /** Asks both: the NameNode counts a DataNode that was killed as live for ten minutes. */
  async #isReady(): Promise<boolean> {
    const [nameNode, dataNode] = await Promise.all([
      beanOf(this.nameNodeUrl, 'Hadoop:service=NameNode,name=FSNamesystemState'),
      beanOf(`http://${this.dataNode}`, 'Hadoop:service=DataNode,name=DataNodeInfo'),
    ])
    if (nameNode?.FSState !== 'Operational' || !(Number(nameNode.NumLiveDataNodes) >= 1)) return false
    const actors = JSON.parse(String(dataNode?.BPServiceActorInfo ?? '[]')) as Record<string, string>[]
    return actors.some(actor => actor.ActorState === 'RUNNING' && Number(actor.LastHeartbeat) <= 2)
  }

  async end(): Promise<void> {
    await Promise.all([this.dn.kill(), this.nn.kill()])
  }

  #classPath(): string {
    return `${join(this.#folder, 'conf')}:${this.#jars}/*`
  }
}

/** Less work at start, less memory; the speed of long runs matters to no test. */
const JAVA_OPTIONS: readonly string[] = [
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Xshare:auto',
  '-XX:-UsePerfData',
  '-Djava.net.preferIPv4Stack=true',
]

const LOG4J = `log4j.rootLogger=INFO,c
log4j.appender.c=org.apache.log4j.ConsoleAppender
log4j.appender.c.layout=org.apache.log4j.PatternLayout
log4j.appender.c.layout.ConversionPattern=%d{ISO8601} %-5p %c{1}: %m%n
`

function coreSite(folder: string, [nnRpc]: readonly number[]): Record<string, string> {
  return {
    'fs.defaultFS': `hdfs://127.0.0.1:${nnRpc}`,
    'hadoop.tmp.dir': join(folder, 'tmp'),
    'hadoop.security.token.service.use_ip': 'true',
    'ipc.client.connect.max.retries': '2',
  }
}

function hdfsSite(folder: string, ports: readonly number[], options: HdfsOptions): Record<string, string> {
  const [nnRpc, nnHttp, dnData, dnHttp, dnIpc] = ports
  return {
    'dfs.namenode.name.dir': `file://${join(folder, 'nn')}`,
    'dfs.datanode.data.dir': `file://${join(folder, 'dn')}`,
    'dfs.namenode.rpc-address': `127.0.0.1:${nnRpc}`,
    'dfs.namenode.rpc-bind-host': '127.0.0.1',
    'dfs.namenode.http-address': `127.0.0.1:${nnHttp}`,
    'dfs.datanode.address': `127.0.0.1:${dnData}`,
    'dfs.datanode.http.address': `127.0.0.1:${dnHttp}`,
    'dfs.datanode.ipc.address': `127.0.0.1:${dnIpc}`,
    'dfs.datanode.hostname': '127.0.0.1',
    'dfs.namenode.datanode.registration.ip-hostname-check': 'false',
    'dfs.replication': '1',
    'dfs.webhdfs.enabled': 'true',
    'dfs.permissions.enabled': String(options.permissions ?? false),
    'dfs.namenode.fs-limits.min-block-size': '1024',
    'dfs.namenode.safemode.extension': '0',
    'dfs.namenode.safemode.min.datanodes': '1',
    'dfs.heartbeat.interval': '1',
    'dfs.namenode.handler.count': '4',
    'dfs.namenode.service.handler.count': '2',
    'dfs.datanode.handler.count': '3',
    'dfs.datanode.max.transfer.threads': '64',
    // Default 400: nearly half of all small uploads would take so much longer.
    'dfs.client.block.write.locateFollowingBlock.initial.delay.ms': '20',
    'dfs.datanode.du.reserved.calculator':
      'org.apache.hadoop.hdfs.server.datanode.fsdataset.impl.ReservedSpaceCalculator$ReservedSpaceCalculatorAbsolute',
  }
}

function xml(properties: Readonly<Record<string, string>>): string {
  const lines = Object.entries(properties).map(
    ([name, value]) => `<property><name>${name}</name><value>${value}</value></property>\n`,
  )
  return `<configuration>\n${lines.join('')}</configuration>\n`
}

/** One bean of a daemon's `/jmx`; undefined while it does not answer. */
async function beanOf(origin: string, name: string): Promise<Record<string, unknown> | undefined> {
  try {
    const answer = await fetch(`${origin}/jmx?qry=${name}`, { signal: AbortSignal.timeout(2_000) })
    return ((await answer.json()) as { beans: Record<string, unknown>[] }).beans[0]
  } catch {
    return undefined
  }
}
