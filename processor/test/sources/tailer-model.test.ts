import { rmSync, truncateSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Consumer, LineBatch, Position } from '../../src/ports.ts'
import type { AccessLogSource } from '../../src/sources/access-log-source.ts'
import { LogFolder, line } from './tailer-fixture.ts'

/*
 * The tailer against a model, by generated sequences of what happens to logs and to us. The model is the list of lines
 * that were written; the consumer keeps lines and position together, as a stage does, and can be killed at any batch.
 */
type Step =
  | { do: 'write'; lines: number }
  /** Half a line; the next write completes it. */
  | { do: 'half' }
  | { do: 'rotate'; create: boolean }
  | { do: 'copytruncate' }
  /** Only when all was read, and no half line stands there: else truncation loses lines by its nature. */
  | { do: 'truncate' }
  /** A worker writes to the file that was rotated last. */
  | { do: 'writeRotated' }
  /** Reads to the end; `restart` drops all that is in memory first. */
  | { do: 'read'; restart: boolean }
  /** Killed while it takes its n-th batch. */
  | { do: 'kill'; batch: number }
  /** Rotated files that were read are deleted, which frees their inodes. */
  | { do: 'delete' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ do: fc.constant('write' as const), lines: fc.integer({ min: 1, max: 12 }) }), weight: 6 },
  { arbitrary: fc.record({ do: fc.constant('half' as const) }), weight: 2 },
  { arbitrary: fc.record({ do: fc.constant('rotate' as const), create: fc.boolean() }), weight: 3 },
  { arbitrary: fc.record({ do: fc.constant('copytruncate' as const) }), weight: 2 },
  { arbitrary: fc.record({ do: fc.constant('truncate' as const) }), weight: 1 },
  { arbitrary: fc.record({ do: fc.constant('writeRotated' as const) }), weight: 1 },
  { arbitrary: fc.record({ do: fc.constant('read' as const), restart: fc.boolean() }), weight: 4 },
  { arbitrary: fc.record({ do: fc.constant('kill' as const), batch: fc.nat({ max: 3 }) }), weight: 2 },
  { arbitrary: fc.record({ do: fc.constant('delete' as const) }), weight: 1 },
)

class World {
  readonly logs = new LogFolder()
  readonly written: string[] = []
  /** What stands behind the last newline of the live file. */
  half = ''
  readonly taken: { position: Position; line: string }[] = []
  position: Position | undefined
  rotated: string[] = []
  #lines = 0
  #source: AccessLogSource | undefined
  isLate = false

  async do(step: Step, batchBytes: number): Promise<void> {
    switch (step.do) {
      case 'write':
        for (let i = 0; i < step.lines; i++) this.#complete()
        return
      case 'half': {
        if (this.half !== '') return
        const text = line(this.#lines++)
        this.half = text.slice(0, 70)
        this.logs.append(this.half)
        return
      }
      case 'rotate':
        if (this.#isMissing) return
        this.#endHalf()
        this.rotated.push(this.logs.rotate(step.create))
        this.#isMissing = !step.create
        return
      case 'copytruncate':
        if (this.#isMissing) return
        this.#endHalf()
        this.logs.copyTruncate()
        return
      case 'truncate':
        if (this.#isMissing || this.half !== '') return
        await this.read(batchBytes)
        truncateSync(this.logs.path, 0)
        return
      case 'writeRotated': {
        const path = this.rotated.at(-1)
        if (path === undefined) return
        this.isLate = true
        const text = line(this.#lines++)
        this.written.push(text)
        // It may end in half a line, which then was left as a line, or is completed now.
        this.logs.append(`\n${text}\n`, path)
        return
      }
      case 'read':
        if (step.restart) this.#source = undefined
        return this.read(batchBytes)
      case 'kill':
        await this.read(batchBytes, step.batch)
        this.#source = undefined
        return
      case 'delete':
        // Without a successor a half line is still waited for.
        if (this.#isMissing) return
        await this.read(batchBytes)
        await this.read(batchBytes)
        for (const path of this.rotated) rmSync(path)
        this.rotated = []
    }
  }

  #isMissing = true

  #complete(): void {
    const text = this.half === '' ? line(this.#lines++) : `${this.half} completed`
    this.logs.append(`${text.slice(this.half.length)}\n`)
    this.half = ''
    this.#isMissing = false
    this.written.push(text)
  }

  /** Half a line in a file that is left is a line of its own. */
  #endHalf(): void {
    if (this.half !== '') this.written.push(this.half)
    this.half = ''
  }

  /** Reads what is there; dies in the batch with that number. */
  async read(maxBatchBytes: number, dieIn?: number): Promise<void> {
    this.#source ??= await this.logs.source({ maxBatchBytes })
    const source = this.#source
    let batches = 0
    const consumer: Consumer<LineBatch> = {
      assigned: async ({ oldest }) => this.position ?? oldest,
      take: async batch => {
        if (batches++ === dieIn) throw new Error('killed')
        expect(batch.from).toBe(this.position ?? batch.from)
        batch.lines.forEach((text, i) => {
          if (text !== '') this.taken.push({ position: batch.positions[i]!, line: text })
        })
        this.position = batch.to
        if (batches % 2 === 0) await source.commit(0, batch.to)
        return batch.to
      },
      tick: async () => undefined,
      revoked: async () => {},
    }
    await source.run(consumer, AbortSignal.abort()).catch((error: Error) => {
      if (error.message !== 'killed') throw error
    })
  }
}

test('every line that was written is taken once, in order, at a rising position', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 40 }),
      fc.constantFrom(64, 300, 256 * 1024),
      async (steps, batchBytes) => {
        const world = new World()
        try {
          for (const step of steps) await world.do(step, batchBytes)
          await world.do({ do: 'write', lines: 1 }, batchBytes)
          // Late growth is found by the second look at the latest.
          for (let i = 0; i < 3; i++) await world.do({ do: 'read', restart: i > 0 }, batchBytes)
          const lines = world.taken.map(taken => taken.line)
          if (!world.isLate) expect(lines).toEqual(world.written)
          else expect([...lines].sort()).toEqual([...world.written].sort())
          const positions = world.taken.map(taken => taken.position)
          expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b))
          if (!steps.some(step => step.do === 'delete' || step.do === 'truncate')) await sameAgain(world, batchBytes)
        } finally {
          world.logs.remove()
        }
      },
    ),
    { numRuns: 100 },
  )
}, 60_000)

/** A reader that begins at the oldest position finds the same lines at the same positions. */
async function sameAgain(world: World, batchBytes: number): Promise<void> {
  const before = [...world.taken]
  world.taken.length = 0
  const [first] = before
  world.position = first!.position
  await world.do({ do: 'read', restart: true }, batchBytes)
  expect(world.taken).toEqual(before)
}
