import { encodeEvent, encodeOutcome } from '@headwater/core'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { IdBatch, JudgedBatch, LogEntry, LogName, LogReader, LogWriter } from '../../src/ports.ts'
import { type BatchShape, batchShape, judgedBatch } from './judged-batch.ts'
import { fault, readAll, readUntil } from './recording-consumer.ts'

export interface LogsUnderTest {
  writer: LogWriter
  /** A reader of its own group each time. */
  reader(log: LogName, group: string): Promise<LogReader>
  /** The same logs as another process would open them later. */
  reopen(): Promise<void>
  close(): Promise<void>
}

const LOGS: readonly LogName[] = ['event-log', 'scenario-log', 'dead-letter']
const SHAPES: readonly BatchShape[] = [
  { outcomes: [2, 0, 1], deadLetters: 1, text: 'first' },
  { outcomes: [], deadLetters: 0, text: '' },
  { outcomes: [], deadLetters: 2, text: '' },
  { outcomes: [3, 3], deadLetters: 0, text: '고면할당하기' },
  { outcomes: [1], deadLetters: 1, text: 'last' },
]

function batchesOf(shapes: readonly BatchShape[], arrivedAt = Date.now()): JudgedBatch[] {
  return shapes.map((shape, i) => judgedBatch(shape, i * 100, arrivedAt + i))
}

/** An entry without its offset, its value as text. */
interface Seen extends Pick<LogEntry, 'order' | 'arrivedAt'> {
  json: string
}

/** What a log must hold after these batches, `source` of the dead letters apart. */
function expected(batches: readonly JudgedBatch[], log: LogName): Seen[] {
  return batches.flatMap(({ events, deadLetters, arrivedAt }) => {
    if (log === 'dead-letter') {
      return deadLetters.map(({ position, index, reason, at, raw }) => ({
        order: { generation: 0, position, index, scenarioId: 0 },
        arrivedAt,
        json: JSON.stringify({ reason, position, index, at, raw }),
      }))
    }
    return events.flatMap(({ position, index, event, outcomes }) =>
      log === 'event-log'
        ? [{ order: { generation: 0, position, index, scenarioId: 0 }, arrivedAt, json: encodeEvent(event) }]
        : outcomes.map(outcome => ({
            order: { generation: 0, position, index, scenarioId: outcome.scenarioId },
            arrivedAt,
            json: encodeOutcome(outcome),
          })),
    )
  })
}

function withoutOffset(log: LogName, entries: readonly LogEntry[]): Seen[] {
  return entries.map(({ order, arrivedAt, value }) => {
    const json = value.toString()
    if (log !== 'dead-letter') return { order, arrivedAt, json }
    const { source: _, ...rest } = JSON.parse(json)
    return { order, arrivedAt, json: JSON.stringify(rest) }
  })
}

export interface LogContract {
  /** Starts empty logs with one partition. */
  make(): Promise<LogsUnderTest>
  /** Logs made for generated texts. Default 15. */
  runs?: number
}

/** What every pair of `LogWriter` and `LogReader` promises. */
export function testLogWriterReader({ make, runs = 15 }: LogContract): void {
  describe('LogWriter and LogReader', () => {
    let logs: LogsUnderTest
    let groups = 0
    const entriesOf = async (log: LogName, from?: number): Promise<LogEntry[]> => {
      const reader = await logs.reader(log, `reader-${groups++}`)
      const { batches } = await readAll(reader, from === undefined ? {} : { assigned: async () => from })
      return batches.flatMap(({ entries }) => entries)
    }
    const appendAll = async (batches: readonly JudgedBatch[]): Promise<void> => {
      for (const batch of batches) await logs.writer.append(batch)
    }
    afterEach(() => logs.close())

    test('each log holds its records in order with order keys, also after a restart', async () => {
      logs = await make()
      const batches = batchesOf(SHAPES)
      await appendAll(batches)
      for (const restarted of [false, true]) {
        if (restarted) await logs.reopen()
        for (const log of LOGS) {
          const entries = await entriesOf(log)
          expect(withoutOffset(log, entries)).toEqual(expected(batches, log))
          const offsets = entries.map(({ offset }) => offset)
          expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b))
        }
      }
    })

    test('any texts come back as they were written', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(batchShape, { minLength: 1, maxLength: 8 }), async shapes => {
          logs = await make()
          try {
            const batches = batchesOf(shapes)
            await appendAll(batches)
            await logs.reopen()
            for (const log of LOGS) expect(withoutOffset(log, await entriesOf(log))).toEqual(expected(batches, log))
          } finally {
            await logs.close()
          }
        }),
        { numRuns: runs },
      )
      logs = await make()
    })

    test('the position is that of the last batch, also after a restart', async () => {
      logs = await make()
      expect(await logs.writer.position(0)).toBeUndefined()
      await appendAll(batchesOf(SHAPES))
      expect(await logs.writer.position(0)).toBe(500)
      await logs.reopen()
      expect(await logs.writer.position(0)).toBe(500)
    })

    test('a batch that does not follow is rejected with POSITION_MISMATCH and leaves nothing', async () => {
      logs = await make()
      const [first] = batchesOf(SHAPES)
      await logs.writer.append(first!)
      for (const from of [0, 99, 101, 200]) {
        const wrong = judgedBatch(SHAPES[0]!, from, Date.now())
        await expect(logs.writer.append(wrong)).rejects.toMatchObject({ code: 'POSITION_MISMATCH', retryable: false })
      }
      expect(await logs.writer.position(0)).toBe(100)
      expect(await entriesOf('event-log')).toHaveLength(3)
    })

    test('a reader can begin at each offset', async () => {
      logs = await make()
      await appendAll(batchesOf(SHAPES))
      await logs.reopen()
      for (const log of LOGS) {
        const all = await entriesOf(log)
        for (const [i, { offset }] of all.entries()) expect(await entriesOf(log, offset)).toEqual(all.slice(i))
        expect(await entriesOf(log, all.at(-1)!.offset + 1)).toEqual([])
      }
    })

    test('a consumer may take a part of a batch and seek to the rest, or back', async () => {
      logs = await make()
      await appendAll(batchesOf(SHAPES))
      const all = await entriesOf('scenario-log')
      const taken: LogEntry[] = []
      let wentBack = false
      await readAll(await logs.reader('scenario-log', 'parts'), {
        take: async ({ entries }) => {
          taken.push(entries[0]!)
          if (!wentBack && entries[0]!.offset === all[5]!.offset) {
            wentBack = true
            return all[2]!.offset
          }
          return entries[0]!.offset + 1
        },
      })
      expect(taken).toEqual([...all.slice(0, 6), ...all.slice(2)])
    })

    test('a running reader gets what is appended', async () => {
      logs = await make()
      const batches = batchesOf(SHAPES)
      const reader = await logs.reader('scenario-log', 'running')
      const all = expected(batches, 'scenario-log')
      let appended = false
      const { batches: read } = await readUntil(
        reader,
        ({ batches }) => batches.flatMap(({ entries }) => entries).length === all.length,
        {
          tick: async () => {
            if (!appended) await appendAll(batches)
            appended = true
            return undefined
          },
        },
      )
      expect(read.flatMap(({ entries }) => withoutOffset('scenario-log', entries))).toEqual(all)
    })

    test('a retryable rejection brings the same batch again', async () => {
      logs = await make()
      await appendAll(batchesOf(SHAPES))
      const seen: number[] = []
      const reader = await logs.reader('event-log', 'retrying')
      await readUntil(reader, ({ batches }) => batches.length > 0, {
        take: async batch => {
          seen.push(batch.from)
          if (seen.length < 3) throw fault(true)
          return batch.to
        },
      })
      expect(seen.slice(0, 3)).toEqual([seen[0], seen[0], seen[0]])
    })

    test('the ids of earlier batches come back in their order, from a time on', async () => {
      logs = await make()
      const batches = batchesOf(SHAPES, Date.now())
      await appendAll(batches)
      await logs.reopen()
      for (const since of [0, batches[3]!.arrivedAt, batches[4]!.arrivedAt + 1]) {
        const found: [number, number, number][] = []
        let to = 0
        for await (const ids of logs.writer.ids(0, since) as AsyncIterable<IdBatch>) {
          expect(ids.to).toBeGreaterThan(to)
          to = ids.to
          for (let i = 0; i < ids.high.length; i++) found.push([ids.high[i]!, ids.low[i]!, ids.receivedAt[i]!])
        }
        const wanted = batches
          .filter(({ arrivedAt }) => arrivedAt >= since)
          .flatMap(({ events }) => events.map(({ idHigh, idLow, event }) => [idHigh, idLow, event.receivedAt]))
        expect(found).toEqual(wanted)
      }
    })
  })
}
