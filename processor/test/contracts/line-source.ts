import { afterEach, describe, expect, test } from 'vitest'
import type { LineBatch, LineSource } from '../../src/ports.ts'
import { fault, readAll, readUntil } from './recording-consumer.ts'

export interface LineSourceUnderTest {
  source: LineSource
  /** Appends whole lines to partition 0; they can be read once it resolves. */
  write(lines: readonly string[]): Promise<void>
  /** The same source as another process would open it later. */
  reopen(): Promise<LineSource>
  close(): Promise<void>
}

const LINES = Array.from({ length: 50 }, (_, i) => `line ${i} ${'x'.repeat(i % 7)} \xe9\xff\x01`)

const linesOf = (batches: readonly LineBatch[]): string[] => batches.flatMap(({ lines }) => lines)
const positionsOf = (batches: readonly LineBatch[]): number[] => batches.flatMap(({ positions }) => positions)

/** What every `LineSource` promises. `make` starts an empty one with one partition. */
export function testLineSource({ make }: { make(): Promise<LineSourceUnderTest> }): void {
  describe('LineSource', () => {
    let made: LineSourceUnderTest
    const start = async (lines: readonly string[] = LINES): Promise<LineSource> => {
      made = await make()
      await made.write(lines)
      return made.source
    }
    afterEach(() => made.close())

    test('every line comes once, in order, at rising positions', async () => {
      const { batches, calls } = await readAll(await start())
      expect(linesOf(batches)).toEqual(LINES)
      const positions = positionsOf(batches)
      expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b))
      expect(calls[0]).toBe('assigned')
      expect(calls.at(-1)).toBe('revoked')
    })

    test('each batch begins where the one before it ended', async () => {
      const { batches, assignments } = await readAll(await start())
      let position = assignments[0]!.oldest
      for (const batch of batches) {
        expect(batch.from).toBe(position)
        expect(batch.positions).toHaveLength(batch.lines.length)
        expect(batch.positions.every(at => at >= batch.from && at < batch.to)).toBe(true)
        position = batch.to
      }
      expect(position).toBe(assignments[0]!.end)
    })

    test('lines that are written while it runs come too', async () => {
      const source = await start(LINES.slice(0, 10))
      const { batches } = await readUntil(source, ({ batches }) => linesOf(batches).length === LINES.length, {
        tick: async () => undefined,
        take: async batch => {
          if (batch.lines.includes(LINES[9]!)) await made.write(LINES.slice(10))
          return batch.to
        },
      })
      expect(linesOf(batches)).toEqual(LINES)
    })

    test('reading can begin at the position of any line, also after a restart', async () => {
      const positions = positionsOf((await readAll(await start())).batches)
      const again = await made.reopen()
      for (const i of [0, 1, 17, 48, 49]) {
        const { batches } = await readAll(again, { assigned: async () => positions[i]! })
        expect(linesOf(batches)).toEqual(LINES.slice(i))
        expect(positionsOf(batches)).toEqual(positions.slice(i))
      }
    })

    test('a consumer seeks by resolving with another position', async () => {
      const source = await start()
      const positions = positionsOf((await readAll(source)).batches)
      let sought = false
      const { batches } = await readUntil(source, ({ calls }) => sought && calls.at(-1) === 'take', {
        take: async batch => {
          if (sought) return batch.to
          sought = true
          return positions[30]!
        },
      })
      expect(batches[1]!.lines[0]).toBe(LINES[30])
    })

    test('a retryable rejection brings the same batch again, and pauses the source', async () => {
      const source = await start()
      const seen: number[] = []
      const { batches } = await readUntil(source, ({ batches }) => linesOf(batches).length === LINES.length, {
        take: async batch => {
          seen.push(batch.from)
          if (seen.length < 3) throw fault(true)
          return batch.to
        },
      })
      expect(seen.slice(0, 3)).toEqual([seen[0], seen[0], seen[0]])
      expect(linesOf(batches)).toEqual(LINES)
    })

    test('any other rejection ends the run with that error, and no call follows', async () => {
      const source = await start()
      const calls: string[] = []
      const consumer = {
        assigned: async () => 0,
        take: async () => {
          calls.push('take')
          throw fault(false)
        },
        tick: async () => void calls.push('tick'),
        revoked: async () => void calls.push('revoked'),
      }
      await expect(source.run(consumer as never, new AbortController().signal)).rejects.toThrow('a defect')
      expect(calls).toEqual(['take'])
    })

    test('tick is called at least once a second while there is nothing to take', async () => {
      const times: number[] = []
      const source = await start([])
      await readUntil(source, () => times.length === 3, {
        tick: async () => {
          times.push(performance.now())
          return undefined
        },
      })
      // Twice the promise, for a busy machine.
      for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeLessThan(2_000)
    })

    test('a commit is the hint of the next assignment', async () => {
      const source = await start()
      const { assignments, batches } = await readAll(source, {
        take: async batch => {
          await source.commit(0, batch.to)
          return batch.to
        },
      })
      expect(assignments[0]!.committed).toBeUndefined()
      const next = await readAll(await made.reopen())
      expect(next.assignments[0]!.committed).toBe(batches.at(-1)!.to)
      expect(next.batches).toEqual([])
    })
  })
}
