import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { LogEntry } from '../../src/ports.ts'
import { archivedFiles, archivedIds, batchOf, HOUR, outcomeEntry, readInto, testSink } from './archive-harness.ts'

const roots: string[] = []
function newRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'headwater-hour-'))
  roots.push(root)
  return root
}
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true })
})

const NEXT_HOUR = HOUR + 3_600_000

/** Records of one partition that two hosts stamp in turn, the second with a clock `skewMs` behind, over the hour's end. */
function logOfTwoHosts(count: number, skewMs: number, isSecond: (i: number) => boolean): LogEntry[] {
  const stepMs = 20
  const begin = NEXT_HOUR - (count / 2) * stepMs
  return Array.from({ length: count }, (_, i) =>
    outcomeEntry(i, i, { arrivedAt: begin + i * stepMs - (isSecond(i) ? skewMs : 0) }),
  )
}

function hourOf(entry: LogEntry | undefined): number {
  return Math.floor((entry?.arrivedAt ?? 0) / 3_600_000)
}

const ids = (log: readonly LogEntry[]) => log.map((_, i) => `e-${i}`)

describe('two hosts that alternate over an hour boundary', () => {
  it('leave two files of their partition, though the hour runs back at every other record', async () => {
    const root = newRoot()
    const log = logOfTwoHosts(200, 1_000, i => i % 2 === 1)
    const changes = log.filter((entry, i) => i > 0 && hourOf(entry) !== hourOf(log[i - 1])).length
    expect(changes).toBeGreaterThan(40)
    await readInto(await testSink({ root }), log)
    const files = await archivedFiles(root)
    expect(files.map(path => path.split('/')[2])).toEqual(['hour=03', 'hour=04'])
    expect(await archivedIds(root)).toEqual(ids(log))
  })

  it('leave at most two, for any order of the hosts, any difference of their clocks and any batches', async () => {
    const alternation = fc.record({
      skewMs: fc.integer({ min: 0, max: 1_500 }),
      second: fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
      batches: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(alternation, async ({ skewMs, second, batches }) => {
        const root = newRoot()
        const log = logOfTwoHosts(60, skewMs, i => second[i] as boolean)
        await readInto(await testSink({ root }), log, { batches })
        expect((await archivedFiles(root)).length).toBeLessThanOrEqual(2)
        expect(await archivedIds(root)).toEqual(ids(log))
      }),
      { numRuns: 30 },
    )
  })

  it('leave at most two when two archive workers, each believing that the partition is its own, take turns', async () => {
    const root = newRoot()
    const log = logOfTwoHosts(200, 1_000, i => i % 2 === 1)
    const sinks = [await testSink({ root }), await testSink({ root })]
    const at: number[] = []
    for (const sink of sinks)
      at.push(await sink.assigned({ partition: 0, committed: undefined, oldest: 0, end: log.length }))
    for (let turn = 0; at.some(position => position < log.length); turn++) {
      const i = turn % 2
      const position = at[i] as number
      // Batches of different lengths: they reach the boundary at different times, but cut at the same record.
      const to = Math.min(log.length, position + 7 + i * 4)
      if (position < to) at[i] = (await sinks[i]?.take(batchOf(log, position, to))) as number
    }
    for (const sink of sinks) await sink.revoked(0)
    const files = await archivedFiles(root)
    expect(files.map(path => path.split('/')[2])).toEqual(['hour=03', 'hour=04'])
    expect(await archivedIds(root)).toEqual(ids(log))
  })
})
