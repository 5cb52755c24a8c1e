import { isTimeZone } from '@headwater/core'
import { z } from 'zod'

// One schema is the whole configuration: the defaults, the checks, the reference page and the names of the environment
// variables (`gateway.port` is HEADWATER_GATEWAY_PORT) all come from here.

/** Settings that `config print` and log lines never show. */
const secrets = z.registry<{ secret: true }>()

const integer = (min: number, max: number) =>
  z
    .int(`must be an integer from ${min} to ${max}`)
    .min(min, `must be an integer from ${min} to ${max}`)
    .max(max, `must be an integer from ${min} to ${max}`)
const text = () => z.string('must be text').min(1, 'must not be empty')
const choice = <const T extends readonly [string, ...string[]]>(...values: T) =>
  z.enum(values, `must be one of ${values.join(', ')}`)
const timezone = () => text().refine(isTimeZone, 'must be an IANA time zone, such as Asia/Seoul or UTC')
const list = () => z.array(text(), 'must be a list of texts')

const DAY = 86_400_000
const MAX_MS = 365 * DAY
const port = () => integer(0, 65_535)
const secret = () => text().register(secrets, { secret: true })

/** `.prefault({})` makes a section's own defaults apply when the whole section is left out. */
export const configSchema = z.strictObject({
  dataDir: text().default('./data').describe('Folder of everything Headwater keeps. One process a folder.'),
  timezone: timezone().default('UTC').describe('Zone of scenarios and sites that name none.'),
  sites: z
    .array(
      z.strictObject({
        id: integer(1, 2 ** 31 - 1).describe('`idsite` of its events.'),
        name: text().describe('Shown to people.'),
        hosts: list()
          .default([])
          .describe('Hosts of pages that may report for it, such as shop.example or *.shop.example; empty: any.'),
        timezone: timezone().optional().describe('Zone of its scenarios that name none.'),
      }),
      'must be a list of sites {id, name, hosts, timezone}',
    )
    .default([{ id: 1, name: 'My site', hosts: [] }])
    .describe('The web sites that report here.'),
  gateway: z
    .strictObject({
      host: text().default('0.0.0.0').describe('Address to listen on.'),
      port: port().default(8000).describe('Port for beacons and the script; 0: any free one.'),
      front: choice('auto', 'uws', 'node')
        .default('auto')
        .describe('HTTP server: uWebSockets.js, node:http, or the first that loads.'),
      trustedProxies: list()
        .default([])
        .describe('Addresses or CIDR ranges of proxies whose X-Forwarded-For is believed.'),
      ip: choice('full', 'truncated', 'none')
        .default('full')
        .describe('What of a visitor’s address reaches the log: all, without the last bytes, or nothing.'),
      tls: z
        .strictObject({
          cert: text()
            .optional()
            .describe('Certificate file (PEM, with its chain): beacons come by https. Read again when it changes.'),
          key: text().optional().describe('… and the file of its key.'),
        })
        .refine(tls => (tls.cert === undefined) === (tls.key === undefined), 'must have both cert and key, or neither')
        .prefault({}),
      limits: z
        .strictObject({
          perAddress: integer(0, 1_000_000)
            .default(0)
            .describe('Requests a second of one IPv4 address or IPv6 /64; beyond it 429. 0: no limit.'),
          perSite: integer(0, 1_000_000)
            .default(0)
            .describe(
              'Requests a second for one site of `sites`, and for all else together; beyond it 429. 0: no limit.',
            ),
          burstSeconds: integer(1, 3600)
            .default(2)
            .describe('After a pause, what so many seconds of these rates bring may come at once.'),
          maxConnections: integer(0, 10_000_000)
            .default(10_000)
            .describe('Connections at a time; more are closed at once. 0: no limit.'),
          requestTimeoutMs: integer(1000, 600_000)
            .default(10_000)
            .describe(
              'Time for a request’s headers to arrive (on uWebSockets.js always 10 s), and again for its body; beyond it 408.',
            ),
        })
        .prefault({}),
    })
    .prefault({}),
  identity: z
    .strictObject({
      serverCookie: choice('off', 'on')
        .default('off')
        .describe(
          'Whether pages on the hosts of `sites` may keep the visitor’s id in a cookie that the gateway sets (docs/guide/consent.md).',
        ),
    })
    .prefault({}),
  ingest: z
    .strictObject({
      siteId: integer(1, 2 ** 31 - 1)
        .default(1)
        .describe('Site of `/ingest` requests without `idsite`.'),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: choice('debug', 'info', 'warn', 'error', 'silent').default('info').describe('What this program says.'),
      format: choice('headwater', 'combined', 'combined_xff')
        .default('headwater')
        .describe('Access-log format the gateway writes; the parser reads all three.'),
      durability: choice('write', 'fsync')
        .default('write')
        .describe(
          'When a beacon is acknowledged: after write() (survives kill -9) or after fsync (survives a power cut).',
        ),
      rotateBytes: integer(64 * 1024, 2 ** 40)
        .default(256 * 2 ** 20)
        .describe('The access log rotates beyond this size.'),
      rotateEveryMs: integer(1000, MAX_MS).default(3_600_000).describe('… and after this time.'),
      keepMs: integer(0, 10 * MAX_MS)
        .default(DAY)
        .describe(
          'Access logs and segments that every sink is done with are kept this long, never less than dedup.windowMs.',
        ),
    })
    .prefault({}),
  dedup: z
    .strictObject({
      windowMs: integer(1000, 30 * DAY)
        .default(DAY)
        .describe('An event id seen again within this time is a repeat.'),
      maxIds: integer(1000, 100_000_000).default(4_000_000).describe('… and within this many accepted events.'),
    })
    .prefault({}),
  scenarios: z
    .strictObject({ file: text().optional().describe('Scenario file (JSON), watched. Default: the examples.') })
    .prefault({}),
  members: z
    .strictObject({ file: text().optional().describe('Member file (CSV or NDJSON), watched. Default: the examples.') })
    .prefault({}),
  stats: z
    .strictObject({
      applyEveryMs: integer(100, 60_000)
        .default(2000)
        .describe('How often counters are stored; by a worker at least every 400 ms.'),
    })
    .prefault({}),
  archive: z
    .strictObject({
      rollEveryMs: integer(100, DAY)
        .default(300_000)
        .describe('A Parquet file is published at the latest after this time,'),
      rollRows: integer(1, 10_000_000).default(131_072).describe('… at this many rows,'),
      rollBytes: integer(1 << 16, 2 ** 31)
        .default(64 * 2 ** 20)
        .describe('… at this many bytes of records (before Parquet),'),
      rollIdleMs: integer(100, DAY).default(30_000).describe('… or when nothing new came for this long.'),
      codec: choice('zstd', 'snappy').default('zstd').describe('Compression of Parquet pages.'),
      keepDays: integer(1, 36_500)
        .optional()
        .describe(
          'Days (UTC, of arrival) behind today whose rows are kept; older ones are deleted. Default: for ever.',
        ),
    })
    .prefault({}),
  deadLetters: z
    .strictObject({
      maxBytesPerHour: integer(0, 2 ** 40)
        .default(64 * 2 ** 20)
        .describe('Raw bytes of dead letters kept an hour; beyond it they are only counted.'),
      keepDays: integer(1, 36_500).default(30).describe('Days after which files of dead letters are deleted.'),
    })
    .prefault({}),
  console: z
    .strictObject({ port: port().default(8080).describe('Port of the console, which this version does not have yet.') })
    .prefault({}),
  metrics: z
    .strictObject({
      host: text().default('127.0.0.1').describe('Address of metrics and health: private, keep it on loopback.'),
      port: port().default(9464).describe('Port of /metrics, /healthz and /readyz; 0: any free one.'),
    })
    .prefault({}),
  kafka: z
    .strictObject({
      brokers: list()
        .default([])
        .describe('Brokers to begin with, host:port. Not empty: the distributed mode (`gateway`, `ship`, `worker`).'),
      clientId: text().default('headwater').describe('Shown in the brokers’ logs and quotas.'),
      groupPrefix: text().default('headwater').describe('Consumer groups are <prefix>-filter, -stats, -archive-….'),
      sessionTimeoutMs: integer(1000, 600_000)
        .default(30_000)
        .describe('A worker that is silent for this long loses its partitions.'),
      tls: z
        .strictObject({
          mode: choice('off', 'on').default('off').describe('Whether brokers are reached by TLS.'),
          ca: text().optional().describe('File of the authorities (PEM) that sign the brokers’ certificates.'),
          cert: text().optional().describe('File of this client’s certificate (PEM), if brokers want one,'),
          key: text().optional().describe('… and of its key.'),
        })
        .refine(tls => (tls.cert === undefined) === (tls.key === undefined), 'must have both cert and key, or neither')
        .prefault({}),
      sasl: z
        .strictObject({
          mechanism: choice('none', 'plain', 'scram-sha-256', 'scram-sha-512')
            .default('none')
            .describe('How this client signs in.'),
          username: text().optional().describe('User name.'),
          password: secret().optional().describe('Password; better by the environment than in a file.'),
        })
        .refine(
          sasl => sasl.mechanism === 'none' || (sasl.username !== undefined && sasl.password !== undefined),
          'must have username and password with this mechanism',
        )
        .prefault({}),
    })
    .prefault({}),
  topics: z
    .strictObject({
      prefix: z.string('must be text').default('').describe('Put before the names of the five topics.'),
      partitions: integer(1, 10_000).default(6).describe('Of each topic, when `headwater topics` makes it.'),
      replication: integer(1, 10).default(3).describe('Copies of each topic.'),
      minInSyncReplicas: integer(1, 10).default(2).describe('Copies that must have a record before it counts.'),
      retentionMs: integer(3_600_000, 10 * MAX_MS)
        .default(7 * DAY)
        .describe('How long Kafka keeps records: longer than the longest standstill.'),
      generation: integer(0, 1_000_000)
        .default(0)
        .describe('Raise it by one when `access-log` was made anew and its offsets begin again.'),
    })
    .prefault({}),
  redis: z
    .strictObject({
      url: text()
        .refine(
          url => /^rediss?:\/\/[^@]*$/.test(url),
          'must be redis://host:port/db or rediss://…, without a password',
        )
        .optional()
        .describe('Statistics and caches of the distributed mode.'),
      username: text().optional().describe('ACL user, if there is one.'),
      password: secret().optional().describe('Password; better by the environment than in a file.'),
      tls: z
        .strictObject({
          ca: text()
            .optional()
            .describe(
              'With rediss://: file of the authorities (PEM) that sign its certificate. Default: Node’s own list.',
            ),
        })
        .prefault({}),
    })
    .refine(
      ({ url, tls }) => tls.ca === undefined || url?.startsWith('rediss:') === true,
      'must have a url that begins with rediss:// when it has tls.ca',
    )
    .prefault({}),
  mariadb: z
    .strictObject({
      host: text().optional().describe('Scenarios and members of the distributed mode; none: the files are used.'),
      port: integer(1, 65_535).default(3306).describe('Its port.'),
      user: text().default('headwater').describe('User name.'),
      password: secret().optional().describe('Password; better by the environment than in a file.'),
      database: text().default('headwater').describe('Database; `headwater db migrate` makes its tables.'),
      connections: integer(1, 100).default(4).describe('Connections of a process at most.'),
      tls: z
        .strictObject({
          mode: choice('off', 'on')
            .default('off')
            .describe('Whether it is reached by TLS; its certificate must name `host`.'),
          ca: text()
            .optional()
            .describe('File of the authorities (PEM) that sign its certificate. Default: Node’s own list.'),
        })
        .refine(tls => tls.ca === undefined || tls.mode === 'on', 'must have mode on when it has ca')
        .prefault({}),
    })
    .prefault({}),
  hdfs: z
    .strictObject({
      nameNodes: list()
        .default([])
        .describe(
          'WebHDFS addresses, http://host:9870, or https://host:9871 (then DataNodes are reached by TLS, too); several: the one that is active is found. None: a local archive.',
        ),
      root: text().default('/headwater').describe('Folder of the archive there.'),
      user: text().default('headwater').describe('`user.name` of every call.'),
      dataNodes: list()
        .default(['*:9864', '*:9865'])
        .describe('host:port a NameNode may send us to; the host may be * or begin with *.'),
      dataNodeAddresses: z
        .array(text().regex(/^[^=]+=[^=]+$/, 'must be name=address'), 'must be a list of name=address')
        .default([])
        .describe('Where DataNodes are reached, when not under the names they gave: dn1:9864=10.0.0.7:9864.'),
      tls: z
        .strictObject({
          ca: text()
            .optional()
            .describe(
              'With https: file of the authorities (PEM) that sign its certificates. Default: Node’s own list.',
            ),
        })
        .prefault({}),
    })
    .refine(
      ({ nameNodes, tls }) => tls.ca === undefined || nameNodes.every(url => url.startsWith('https:')),
      'must have nameNodes that begin with https:// when it has tls.ca',
    )
    .prefault({}),
  drainMs: integer(0, 600_000).default(10_000).describe('After SIGTERM, time to answer and store what is there.'),
})

/** The configuration as the composition root gets it: complete, checked. */
export type Config = z.infer<typeof configSchema>

/** Whether the logs between the stages are Kafka's. */
export function isDistributed({ kafka }: Config): boolean {
  return kafka.brokers.length > 0
}

/** One setting that holds a value itself (not a section), for the environment, the reference and the nearest-key hint. */
export interface Setting {
  /** `gateway.port` */
  path: string
  /** `HEADWATER_GATEWAY_PORT` */
  variable: string
  kind: 'integer' | 'text' | 'choice' | 'list' | 'sites'
  fallback: unknown
  description: string
  choices: readonly string[]
  /** Never shown. */
  secret: boolean
}

/** Every setting, in the order of the schema. */
export function settings(): Setting[] {
  const found: Setting[] = []
  walk(configSchema, [])
  return found

  function walk(schema: z.ZodType, path: string[]): void {
    const inner = unwrapped(schema)
    if (inner instanceof z.ZodObject) {
      for (const [key, child] of Object.entries(inner.shape)) walk(child as z.ZodType, [...path, key])
      return
    }
    const isSites = inner instanceof z.ZodArray && inner.element instanceof z.ZodObject
    found.push({
      path: path.join('.'),
      variable: `HEADWATER_${path.map(part => part.replace(/[A-Z]/g, '_$&').toUpperCase()).join('_')}`,
      kind:
        inner instanceof z.ZodNumber
          ? 'integer'
          : inner instanceof z.ZodEnum
            ? 'choice'
            : isSites
              ? 'sites'
              : inner instanceof z.ZodArray
                ? 'list'
                : 'text',
      fallback: schema instanceof z.ZodDefault ? schema.def.defaultValue : undefined,
      description: schema.description ?? '',
      choices: inner instanceof z.ZodEnum ? inner.options.map(String) : [],
      secret: secrets.has(inner),
    })
  }
}

function unwrapped(schema: z.ZodType): z.ZodType {
  let inner = schema
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional)
    inner = inner.unwrap() as z.ZodType
  return inner
}
