import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Daemon } from './daemon.ts'
import { onFreePorts } from './free-port.ts'
import { findJavaFor, JAVA_MISSING, mavenJars } from './maven-jars.ts'
import { serviceFolder } from './service-folder.ts'
import { accepts } from './service-process.ts'

const run = promisify(execFile)

/** A Kafka cluster of the test's own: KRaft, every node broker and controller, on 127.0.0.1. Nodes are numbered from 1. */
export interface Kafka {
  /** `host:port` of each node's plain listener. */
  readonly bootstrap: string[]
  /** `host:port` of each node's second listener; empty without `secured`. */
  readonly securedBootstrap: string[]
  /** Holds `node-<n>/` with `data`, `log` and `server.properties`. */
  readonly folder: string
  pid(node: number): number
  /** Ends a node at once (default SIGKILL); its data stays. Resolves when the process is gone. */
  kill(node: number, signal?: NodeJS.Signals): Promise<void>
  /** Starts a node that was killed, on its data. Resolves when its port is open. */
  restart(node: number): Promise<void>
  /** SIGSTOP. */
  pause(node: number): void
  /** SIGCONT. */
  resume(node: number): void
  /** Kills all nodes; removes the folder unless the caller gave it. */
  stop(): Promise<void>
}

export interface KafkaOptions {
  /** Default 1. With 3: replication 3, `min.insync.replicas` 2. */
  nodes?: 1 | 3
  /** More broker properties, over those of `serverProperties`. */
  properties?: Readonly<Record<string, string>>
  /** A second listener of this security protocol (also its name in properties: `listener.name.sasl_ssl.…`). */
  secured?: 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'
  /** Passwords of SCRAM users, stored at format: `{ alice: 'secret' }`. */
  scramUsers?: Readonly<Record<string, string>>
  /** Default: a new folder, removed by `stop`. */
  folder?: string
}

/** For `start` and `restart`: a broker takes 3 s on an idle machine, three took 60 s on a heavily loaded one. */
const START_LIMIT_MS = 150_000
/** Any 16 bytes, as Base64: all nodes carry the same. */
const CLUSTER_ID = 'AAAAAAAAQACAAAAAAAAAAQ'

/** What it runs with on this machine, or undefined. */
export function findKafka(): string | undefined {
  return findJavaFor('kafka')
}

/** What to tell whoever has no Kafka. */
export const KAFKA_MISSING = JAVA_MISSING

/**
 * Starts a cluster and waits until every node's port is open: then metadata and createTopics are answered. Groups and
 * idempotent producers may still meet COORDINATOR_NOT_AVAILABLE for a moment; clients try again by themselves.
 */
export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const jars = await mavenJars('kafka')
  const { folder, remove } = serviceFolder('headwater-kafka', options.folder)
  const count = options.nodes ?? 1
  return onFreePorts(count * 3, async (...ports) => {
    const nodes = Array.from({ length: count }, (_, i) => new KafkaNode(i + 1, join(folder, `node-${i + 1}`), jars))
    const end = () => Promise.all(nodes.map(node => node.daemon.kill()))
    for (const node of nodes) node.configure(serverProperties(node, nodes.length, ports, options))
    try {
      await Promise.all(nodes.map(node => node.format(options.scramUsers ?? {})))
      await Promise.all(nodes.map(node => node.start()))
    } catch (error) {
      await end()
      throw error
    }
    const at = (node: number): KafkaNode => {
      const found = nodes[node - 1]
      if (found === undefined) throw new RangeError(`Nodes are numbered 1–${count}. Found: ${node}.`)
      return found
    }
    return {
      bootstrap: nodes.map(node => `127.0.0.1:${node.port}`),
      securedBootstrap: options.secured ? nodes.map((_, i) => `127.0.0.1:${ports[i * 3 + 2]}`) : [],
      folder,
      pid: node => at(node).daemon.pid,
      kill: (node, signal) => at(node).daemon.kill(signal),
      restart: node => at(node).start(),
      pause: node => at(node).daemon.pause(),
      resume: node => at(node).daemon.resume(),
      async stop() {
        await end()
        remove()
      },
    }
  })
}

/** One broker, which is a controller too. */
class KafkaNode {
  readonly id: number
  readonly folder: string
  readonly daemon: Daemon
  readonly #jars: string
  port = 0

  constructor(id: number, folder: string, jars: string) {
    this.id = id
    this.folder = folder
    this.#jars = jars
    mkdirSync(folder, { recursive: true })
    const java = [
      ...JAVA_OPTIONS,
      '-Xms64m',
      '-Xmx256m',
      '-XX:+ExitOnOutOfMemoryError',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-Dorg.slf4j.simpleLogger.showDateTime=true',
      '-cp',
      `${jars}/*`,
      'kafka.Kafka',
      join(folder, 'server.properties'),
    ]
    this.daemon = new Daemon({ name: `Kafka node ${id}`, command: ['java', ...java], logFile: join(folder, 'log') })
  }

  configure(properties: Readonly<Record<string, string>>): void {
    this.port = Number(/PLAINTEXT:\/\/127\.0\.0\.1:(\d+)/.exec(properties.listeners as string)?.[1])
    const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`)
    writeFileSync(join(this.folder, 'server.properties'), lines.join(''))
  }

  async format(scramUsers: Readonly<Record<string, string>>): Promise<void> {
    if (existsSync(join(this.folder, 'data', 'meta.properties'))) return
    const scram = Object.entries(scramUsers).flatMap(([name, password]) =>
      ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap(kind => [
        '--add-scram',
        `${kind}=[name=${name},password=${password}]`,
      ]),
    )
    const options = ['-t', CLUSTER_ID, '-c', join(this.folder, 'server.properties'), ...scram]
    const java = [...JAVA_OPTIONS, '-Xmx128m', '-cp', `${this.#jars}/*`]
    try {
      await run('java', [...java, 'kafka.tools.StorageTool', 'format', ...options], { timeout: START_LIMIT_MS })
    } catch (error) {
      throw new Error(`Kafka node ${this.id} was not formatted: ${(error as { stderr?: string }).stderr ?? error}`)
    }
  }

  async start(): Promise<void> {
    this.daemon.start()
    await this.daemon.untilReady(() => accepts(this.port), START_LIMIT_MS)
  }
}

/** Less work at start, less memory; the speed of long runs matters to no test. */
const JAVA_OPTIONS: readonly string[] = [
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Xshare:auto',
  '-Djava.awt.headless=true',
]

/** Node i listens on ports[3i] (plain) and ports[3i + 2] (secured); its controller on ports[3i + 1], the same over restarts. */
function serverProperties(
  node: KafkaNode,
  count: number,
  ports: readonly number[],
  options: KafkaOptions,
): Record<string, string> {
  const at = (role: number, id = node.id): string => `127.0.0.1:${ports[(id - 1) * 3 + role]}`
  const voters = Array.from({ length: count }, (_, i) => `${i + 1}@${at(1, i + 1)}`).join(',')
  const secured = options.secured === undefined ? '' : `,${options.secured}://${at(2)}`
  const protocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'].map(name => `${name}:${name}`).join(',')
  const [replicas, insync] = count < 3 ? ['1', '1'] : ['3', '2']
  return {
    'process.roles': 'broker,controller',
    'node.id': String(node.id),
    'controller.quorum.voters': voters,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': `${protocols},CONTROLLER:PLAINTEXT`,
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: `PLAINTEXT://${at(0)}${secured},CONTROLLER://${at(1)}`,
    'advertised.listeners': `PLAINTEXT://${at(0)}${secured}`,
    'log.dirs': join(node.folder, 'data'),
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': insync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': insync,
    'transaction.state.log.num.partitions': '1',
    'group.initial.rebalance.delay.ms': '0',
    // Tests may shorten their sessions.
    'group.min.session.timeout.ms': '1000',
    'log.segment.bytes': '67108864',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'log.cleaner.dedupe.buffer.size': '8388608',
    ...options.properties,
  }
}
