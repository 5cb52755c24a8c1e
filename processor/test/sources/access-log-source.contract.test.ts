import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { describe } from 'vitest'
import { createProcessorMetrics } from '../../src/metrics.ts'
import { type AccessLogSource, accessLogSource } from '../../src/sources/access-log-source.ts'
import { testLineSource } from '../contracts/line-source.ts'

for (const maxBatchBytes of [256 * 1024, 64]) {
  describe(`access-log tailer with batches of ${maxBatchBytes} bytes`, () => {
    testLineSource({
      make: async () => {
        const folder = await mkdtemp(join(tmpdir(), 'headwater-tailer-'))
        const path = join(folder, 'access.log')
        const open = (): Promise<AccessLogSource> =>
          accessLogSource({
            path,
            stateDir: join(folder, 'state'),
            name: 'test',
            rotateWaitMs: 0,
            maxBatchBytes,
            log: pino({ level: 'silent' }),
            metrics: createProcessorMetrics(new Registry()).tailer,
          })
        const source = await open()
        return {
          source,
          write: async lines => {
            await appendFile(path, lines.map(line => `${line}\n`).join(''), 'latin1')
            source.wake()
          },
          reopen: open,
          close: () => rm(folder, { recursive: true, force: true }),
        }
      },
    })
  })
}
