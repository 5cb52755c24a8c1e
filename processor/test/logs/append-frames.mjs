// Appends judged batches to the segment log in the folder argv[2] as fast as it can, and prints the input position behind
// each once it is acknowledged. At the first rejection it prints its code and ends. Started, and killed, by a test.
import { writeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
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
const { SegmentLog } = await server.ssrLoadModule('/processor/src/logs/segment-log.ts')
const { judgedBatch } = await server.ssrLoadModule('/processor/test/contracts/judged-batch.ts')
await server.close()

const log = { warn() {}, info() {}, error() {} }
const segments = await SegmentLog.open({ dir: process.argv[2], durability: 'write', source: 'child', log })
const shape = { outcomes: [1, 2], deadLetters: 1, text: 'x'.repeat(200) }
try {
  for (;;) {
    await segments.append(judgedBatch(shape, segments.to ?? 0, Date.now()))
    writeSync(1, `${segments.to}\n`)
  }
} catch (error) {
  writeSync(1, `${error.code} ${error.retryable ? 'retryable' : 'final'}\n`)
}
