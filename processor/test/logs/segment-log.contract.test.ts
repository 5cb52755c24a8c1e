import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { describe } from 'vitest'
import { SegmentLog } from '../../src/logs/segment-log.ts'
import { segmentLogReader } from '../../src/logs/segment-log-reader.ts'
import { segmentLogWriter } from '../../src/logs/segment-log-writer.ts'
import { createProcessorMetrics } from '../../src/metrics.ts'
import { type LogsUnderTest, testLogWriterReader } from '../contracts/log-writer-reader.ts'

async function makeLogs(limits: {
  rollBytes?: number
  recentBytes?: number
  minEntries?: number
}): Promise<LogsUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'headwater-segments-'))
  const logger = pino({ level: 'silent' })
  const metrics = createProcessorMetrics(new Registry()).logs
  const open = (): Promise<SegmentLog> =>
    SegmentLog.open({ dir: join(folder, 'segments'), durability: 'write', source: 'test', log: logger, ...limits })
  let segments = await open()
  const made: LogsUnderTest = {
    writer: segmentLogWriter({ segments }),
    reader: (log, group) => {
      const { minEntries } = limits
      const positionsDir = join(folder, 'positions')
      return segmentLogReader({
        segments,
        log,
        group,
        positionsDir,
        logger,
        metrics,
        ...(minEntries && { minEntries }),
      })
    },
    async reopen() {
      await segments.close()
      segments = await open()
      made.writer = segmentLogWriter({ segments })
    },
    async close() {
      await segments.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
  return made
}

describe('segment files', () => {
  testLogWriterReader({ make: () => makeLogs({}) })
})

describe('segment files of one frame, read from disk frame by frame', () => {
  testLogWriterReader({ make: () => makeLogs({ rollBytes: 1, recentBytes: 0, minEntries: 1 }) })
})
