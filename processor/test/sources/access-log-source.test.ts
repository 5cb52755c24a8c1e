import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MAX_DEAD_LETTER_BYTES, MAX_LINE_BYTES } from '@headwater/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LineBatch, Position } from '../../src/ports.ts'
import type { AccessLogSource } from '../../src/sources/access-log-source.ts'
import { readAll, readUntil } from '../contracts/recording-consumer.ts'
import { LogFolder, line } from './tailer-fixture.ts'

const linesOf = (batches: readonly LineBatch[]): string[] => batches.flatMap(({ lines }) => lines)

describe('access-log tailer', () => {
  let logs: LogFolder
  let position: Position | undefined
  beforeEach(() => {
    logs = new LogFolder()
    position = undefined
  })
  afterEach(() => logs.remove())

  /** Reads from where the last reading ended; a new source unless one is given. */
  const read = async (source?: AccessLogSource): Promise<LineBatch[]> => {
    const { batches } = await readAll<LineBatch>(source ?? (await logs.source()), {
      assigned: async ({ oldest }) => position ?? oldest,
    })
    position = batches.at(-1)?.to ?? position
    return batches
  }

  test('an unfinished last line waits for its newline', async () => {
    logs.append(`${line(1)}\n${line(2).slice(0, 30)}`)
    expect(linesOf(await read())).toEqual([line(1)])
    logs.append(`${line(2).slice(30)}\n`)
    expect(linesOf(await read())).toEqual([line(2)])
  })

  test('files rotated while nothing ran are read in their order, the oldest first', async () => {
    for (let i = 0; i < 4; i++) {
      logs.append(`${line(i)}\n`)
      if (i < 3) logs.rotate()
    }
    expect(linesOf(await read())).toEqual([0, 1, 2, 3].map(line))
  })

  test('numbered files of one moment are read from the highest number down', async () => {
    logs.append(`${line(3)}\n`)
    for (const n of [10, 2, 1]) writeFileSync(`${logs.path}.${n}`, `${line(n)}\n`)
    const { utimesSync } = await import('node:fs')
    for (const n of [10, 2, 1]) utimesSync(`${logs.path}.${n}`, 1_750_000_000, 1_750_000_000)
    expect(linesOf(await read())).toEqual([10, 2, 1, 3].map(line))
  })

  test('a rotated file is read on until it has not grown for rotateWaitMs', async () => {
    const source = await logs.source({ rotateWaitMs: 300 })
    logs.append(`${line(0)}\n`)
    let rotated: string | undefined
    const { batches } = await readUntil<LineBatch>(source, ({ batches }) => linesOf(batches).length === 4, {
      take: async batch => {
        if (batch.lines.includes(line(0))) {
          rotated = logs.rotate()
          logs.append(`${line(3)}\n`)
        }
        if (batch.lines.includes(line(1))) logs.append(`${line(2)}\n`, rotated)
        return batch.to
      },
      tick: async () => undefined,
      assigned: async ({ oldest }) => {
        setTimeout(() => logs.append(`${line(1)}\n`, rotated), 100)
        return oldest
      },
    })
    expect(linesOf(batches)).toEqual([0, 1, 2, 3].map(line))
    expect(await logs.counted('late_growth')).toBe(0)
  })

  test('growth after a file was left is read and counted', async () => {
    logs.append(`${line(0)}\n`)
    const rotated = logs.rotate()
    logs.append(`${line(1)}\n`)
    expect(linesOf(await read())).toEqual([line(0), line(1)])
    logs.append(`${line(2)}\n`, rotated)
    logs.append(`${line(3)}\n`)
    const rest = [...linesOf(await read()), ...linesOf(await read())]
    expect(rest.sort()).toEqual([line(2), line(3)])
    expect(await logs.counted('late_growth')).toBe(1)
  })

  test('what was not read before copytruncate is read from the copy', async () => {
    logs.append(`${line(0)}\n`)
    await read()
    logs.append(`${line(1)}\n`)
    logs.copyTruncate()
    logs.append(`${line(2)}\n${line(3)}\n${line(4)}\n`)
    expect(linesOf(await read())).toEqual([1, 2, 3, 4].map(line))
    expect(await logs.counted('copied')).toBe(1)
  })

  test('a copy that is just being made is not read', async () => {
    logs.append(`${line(0)}\n${line(1)}\n${line(2)}\n${line(3)}\n`)
    await read()
    for (const bytes of [1, 100, 300]) {
      writeFileSync(`${logs.path}.1`, readFileSync(logs.path).subarray(0, bytes))
      logs.append(`${line(bytes + 10)}\n`)
      expect(linesOf(await read())).toEqual([line(bytes + 10)])
    }
  })

  test('a file that was cut to a part of itself is read again from its beginning: repeats rather than a hole', async () => {
    logs.append(`${line(0)}\n${line(1)}\n${line(2)}\n${line(3)}\n`)
    await read()
    truncateSync(logs.path, line(0).length + 1)
    logs.append(`${line(4)}\n`)
    expect(linesOf(await read())).toEqual([line(0), line(4)])
    expect(await logs.counted('truncated')).toBe(1)
  })

  test('a new file with the inode of a deleted one is a new file', async () => {
    logs.append(`${line(0)}\n${line(1)}\n`)
    await read()
    // The inode of a file that is truncated and renamed is the same for certain.
    truncateSync(logs.path, 0)
    renameSync(logs.path, join(logs.folder, 'elsewhere'))
    writeFileSync(join(logs.folder, 'elsewhere'), `${line(5)}\n${line(6)}\n${line(7)}\n`)
    renameSync(join(logs.folder, 'elsewhere'), logs.path)
    expect(linesOf(await read())).toEqual([5, 6, 7].map(line))
  })

  test('a file that is gone is counted, and reading goes on with the next', async () => {
    logs.append(`${line(0)}\n`)
    await read()
    logs.append(`${line(1)}\n`)
    rmSync(logs.rotate())
    logs.append(`${line(2)}\n`)
    const batches = await read()
    expect(linesOf(batches)).toEqual([line(2)])
    expect(await logs.counted('gone')).toBe(1)
  })

  test('compressed files are left alone', async () => {
    writeFileSync(`${logs.path}.2.gz`, 'not lines')
    logs.append(`${line(0)}\n`)
    expect(linesOf(await read())).toEqual([line(0)])
  })

  test('a line of exactly the limit is whole, a longer one is cut, and its neighbours are not touched', async () => {
    const whole = 'w'.repeat(MAX_LINE_BYTES)
    const long = 'x'.repeat(MAX_LINE_BYTES + 1)
    const longer = 'y'.repeat(3 * MAX_LINE_BYTES)
    logs.append(`${line(0)}\n${whole}\n${long}\n${longer}\n${line(1)}\n`)
    const batches = await read()
    const lines = linesOf(batches)
    const cut = (text: string): string => text.slice(0, MAX_DEAD_LETTER_BYTES)
    expect(lines.map(text => text.length)).toEqual([line(0), whole, cut(long), cut(longer), line(1)].map(l => l.length))
    expect(lines[2]).toBe(cut(long))
    const tooLong = batches.flatMap(({ lines, tooLong }) => tooLong.map(i => lines[i]![0]))
    expect(tooLong).toEqual(['x', 'y'])
    const positions = batches.flatMap(batch => batch.positions)
    expect(positions[4]).toBe(
      line(0).length + 1 + (MAX_LINE_BYTES + 1) + (MAX_LINE_BYTES + 2) + (3 * MAX_LINE_BYTES + 1),
    )
  })

  test('a too long line that is not finished waits, and is cut when it is', async () => {
    const source = await logs.source()
    logs.append('x'.repeat(2 * MAX_LINE_BYTES))
    expect(await read(source)).toEqual([])
    logs.append(`yyy\n${line(1)}\n`)
    expect(linesOf(await read(source)).map(text => text.length)).toEqual([MAX_DEAD_LETTER_BYTES, line(1).length])
  })

  test('any bytes come through as they are', async () => {
    const bytes = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter(char => char !== '\n')
    logs.append(`${bytes.join('')}\n`)
    expect(linesOf(await read())).toEqual([bytes.join('')])
  })

  test('wake brings a line at once, long before the next poll', async () => {
    const source = await logs.source({ pollMs: 60_000 })
    logs.append(`${line(0)}\n`)
    const began = performance.now()
    const { batches } = await readUntil<LineBatch>(source, ({ batches }) => linesOf(batches).length === 2, {
      take: async batch => {
        if (batch.lines.includes(line(0))) {
          setTimeout(() => {
            logs.append(`${line(1)}\n`)
            source.wake()
          }, 50)
        }
        return batch.to
      },
    })
    expect(linesOf(batches)).toEqual([line(0), line(1)])
    expect(performance.now() - began).toBeLessThan(10_000)
  })

  test('without a registry but with a committed position, positions go on behind it', async () => {
    logs.append(`${line(0)}\n`)
    await read()
    rmSync(join(logs.folder, 'state', 'log-files.json'))
    const before = position!
    const [batch] = await read()
    expect(batch!.positions[0]).toBe(before)
  })

  test('a registry of another format is refused', async () => {
    logs.append(`${line(0)}\n`)
    await read()
    writeFileSync(join(logs.folder, 'state', 'log-files.json'), '{"format":9}')
    await expect(logs.source()).rejects.toMatchObject({ code: 'FORMAT_UNKNOWN' })
  })

  test('only rotated files that were read, committed and are old are deleted', async () => {
    const source = await logs.source()
    logs.append(`${line(0)}\n`)
    const first = logs.rotate()
    logs.append(`${line(1)}\n`)
    const second = logs.rotate()
    logs.append(`${line(2)}\n`)
    const later = Date.now() + 60_000
    expect(await source.prune(later)).toEqual([])
    const batches = await read(source)
    expect(await source.prune(later)).toEqual([])
    await source.commit(0, batches[0]!.to)
    expect(await source.prune(0)).toEqual([])
    expect((await source.prune(later)).map(({ path }) => path)).toEqual([first])
    await source.commit(0, batches.at(-1)!.to)
    logs.append('grown', second)
    expect(await source.prune(later)).toEqual([])
    await read(source)
    logs.append(`${line(4)}\n`)
    await source.commit(0, (await read(source)).at(-1)!.to)
    expect((await source.prune(later)).map(({ path }) => path)).toEqual([second])
  })
})
