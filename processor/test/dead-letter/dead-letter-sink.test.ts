import { appendFile, mkdtemp, readdir, readFile, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, describe, expect, it } from 'vitest'
import { createProcessorMetrics } from '../../src/metrics.ts'
import type { Consumer, EntryBatch, LogEntry } from '../../src/ports.ts'
import { deadLetterLine, deadLetterSink } from '../../src/sinks/dead-letter-sink.ts'

const log = pino({ level: 'silent' })
const NOON = Date.UTC(2026, 5, 18, 12)

const newFolder = async (): Promise<string> => join(await mkdtemp(join(tmpdir(), 'hw-dead-')), 'dead-letter')

function entry(offset: number, options: { raw?: string; arrivedAt?: number; input?: number } = {}): LogEntry {
  const position = (options.input ?? offset) * 100
  return {
    offset,
    order: { generation: 0, position, index: 0, scenarioId: 0 },
    arrivedAt: options.arrivedAt ?? NOON,
    value: Buffer.from(
      JSON.stringify({
        reason: 'bad_line',
        source: 'access.log',
        position,
        index: 0,
        at: options.arrivedAt ?? NOON,
        raw: options.raw ?? `line ${offset}`,
      }),
    ),
  }
}

function batch(entries: LogEntry[], from = 0, to = entries.length): EntryBatch {
  return { partition: 0, from, to, entries: entries.slice(from, to) }
}

const open: Consumer<EntryBatch>[] = []
afterEach(async () => {
  for (const sink of open.splice(0)) await sink.revoked(0)
})

function make(folder: string, commit: (position: number) => void = () => {}) {
  const sink = deadLetterSink({
    reader: { commit: async (_partition, position) => commit(position) },
    folder,
    metrics: createProcessorMetrics(new Registry()).deadLetters,
    log,
  })
  open.push(sink)
  return sink
}

const assignment = { partition: 0, committed: undefined, oldest: 0, end: 1000 }

async function lines(folder: string): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = []
  for (const name of (await readdir(folder)).sort()) {
    for (const line of (await readFile(join(folder, name), 'utf8')).split('\n')) {
      if (line !== '') found.push(JSON.parse(line) as Record<string, unknown>)
    }
  }
  return found
}

describe('deadLetterSink', () => {
  it('writes a line a dead letter, into a file an hour', async () => {
    const folder = await newFolder()
    const sink = make(folder)
    expect(await sink.assigned(assignment)).toBe(0)
    expect(await sink.take(batch([entry(0), entry(1, { arrivedAt: NOON + 3_600_000 })]))).toBe(2)
    await sink.revoked(0)
    expect((await readdir(folder)).sort()).toEqual(['2026-06-18T12.ndjson', '2026-06-18T13.ndjson'])
    expect((await lines(folder))[0]).toEqual({
      offset: 0,
      order: [0, 0, 0, 0],
      reason: 'bad_line',
      source: 'access.log',
      position: 0,
      index: 0,
      at: '2026-06-18T12:00:00.000Z',
      raw: 'line 0',
    })
  })

  it('keeps writing the later hour when a record arrives out of order', async () => {
    const folder = await newFolder()
    const sink = make(folder)
    await sink.assigned(assignment)
    await sink.take(batch([entry(0, { arrivedAt: NOON + 3_600_000 }), entry(1)]))
    expect(await readdir(folder)).toEqual(['2026-06-18T13.ndjson'])
    const again = make(folder)
    expect(await again.assigned(assignment)).toBe(2)
    await again.take(batch([entry(0), entry(1), entry(2)], 2))
    expect(await readdir(folder)).toEqual(['2026-06-18T13.ndjson'])
  })

  it('shows bytes as text when they are UTF-8, else as base64', () => {
    const rawOf = (bytes: Buffer) => {
      const line = deadLetterLine(entry(0, { raw: bytes.toString('latin1') }))
      const { raw, raw_base64 } = JSON.parse(line) as Record<string, unknown>
      return { raw, raw_base64 }
    }
    expect(rawOf(Buffer.from('GET /?e_n=고면 "\n'))).toEqual({ raw: 'GET /?e_n=고면 "\n' })
    expect(rawOf(Buffer.from([0x47, 0xe9, 0x00]))).toEqual({ raw_base64: 'R+kA' })
    expect(rawOf(Buffer.from([0]))).toEqual({ raw: '\0' })
  })

  it('keeps a record that it cannot read as it is', () => {
    const line = deadLetterLine({ ...entry(3), value: Buffer.from('nonsense') })
    expect(JSON.parse(line)).toEqual({ offset: 3, order: [0, 300, 0, 0], damaged: 'nonsense' })
  })

  it('skips records that are not behind the last one written', async () => {
    const folder = await newFolder()
    const sink = make(folder)
    await sink.assigned(assignment)
    await sink.take(batch([entry(0), entry(1), entry(2, { input: 1 }), entry(3, { input: 2 })]))
    expect((await lines(folder)).map(line => line.position)).toEqual([0, 100, 200])
  })

  it('goes on behind what was committed when files were deleted', async () => {
    const folder = await newFolder()
    const sink = make(folder)
    await sink.assigned(assignment)
    await sink.take(batch([entry(0), entry(1)]))
    await sink.revoked(0)
    await rm(folder, { recursive: true })
    expect(await make(folder).assigned({ ...assignment, committed: 2 })).toBe(2)
  })

  it('passes over lines that somebody added by hand', async () => {
    const folder = await newFolder()
    const sink = make(folder)
    await sink.assigned(assignment)
    await sink.take(batch([entry(0), entry(1)]))
    await appendFile(join(folder, '2026-06-18T12.ndjson'), '# looked into, harmless\n\n')
    expect(await make(folder).assigned(assignment)).toBe(2)
  })

  it('writes every letter once, wherever the process is killed in the middle of a write', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 12 }),
        // After each batch so many bytes of the newest file are cut off again: what a kill in the write leaves.
        fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 5 }),
        fc.boolean(),
        async (hours, cuts, keepCommits) => {
          let hour = 0
          const entries = hours.map((step, offset) => {
            hour += step
            return entry(offset, { arrivedAt: NOON + hour * 3_600_000, raw: `line ${offset} "é"` })
          })
          const folder = await newFolder()
          let committed: number | undefined
          for (const cut of [...cuts, undefined]) {
            let uncommitted: number | undefined
            const sink = make(folder, position => {
              uncommitted = position
            })
            const position = await sink.assigned({ ...assignment, end: entries.length, committed })
            const to = cut === undefined ? entries.length : Math.min(entries.length, position + 2)
            if (position < to) await sink.take(batch(entries, position, to))
            await sink.revoked(0)
            const newest = (await readdir(folder)).sort().at(-1)
            if (cut !== undefined && cut > 0 && newest !== undefined) {
              const file = join(folder, newest)
              const { length } = await readFile(file)
              await truncate(file, Math.max(0, length - cut))
            } else if (keepCommits) committed = uncommitted ?? committed
            // What is committed never lies behind what is on the disk: forget it when the cut went further.
            if (cut !== undefined && cut > 0) committed = undefined
          }
          expect((await lines(folder)).map(line => line.offset)).toEqual(entries.map(each => each.offset))
        },
      ),
      { numRuns: 40 },
    )
  })

  it('rejects with a retryable error while the folder cannot be made', async () => {
    const folder = await newFolder()
    await appendFile(join(folder, '..', 'dead-letter'), 'a file in the way')
    await expect(make(folder).assigned(assignment)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retryable: true,
    })
  })
})
