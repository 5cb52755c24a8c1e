// Ships the access log argv[2] to a topic, in a process of its own that a test kills. argv[3]: JSON with stateDir, topic and
// the options of KafkaConnection. Prints a line when it runs.
import { writeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { createServer } from 'vite'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const server = await createServer({
  root,
  configFile: false,
  logLevel: 'error',
  server: { middlewareMode: true, watch: null, ws: false },
  optimizeDeps: { noDiscovery: true },
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
})
const { accessLogSource } = await server.ssrLoadModule('/processor/src/sources/access-log-source.ts')
const { KafkaConnection } = await server.ssrLoadModule('/processor/src/kafka/kafka-connection.ts')
const { createProcessorMetrics } = await server.ssrLoadModule('/processor/src/metrics.ts')
const { shipLines } = await server.ssrLoadModule('/processor/src/ship/ship-lines.ts')
await server.close()

const { stateDir, topic, kafka } = JSON.parse(process.argv[3])
const log = pino({ level: 'silent' })
const metrics = createProcessorMetrics(new Registry())
const source = await accessLogSource({
  path: process.argv[2],
  stateDir,
  name: 'ship',
  rotateWaitMs: 500,
  log,
  metrics: metrics.tailer,
})
writeSync(1, 'runs\n')
await shipLines({ source, kafka: new KafkaConnection(kafka, log), topic, log, metrics }, new AbortController().signal)
