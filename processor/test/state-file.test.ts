import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readStateFile, type StateFileReading, writeStateFile } from '../src/state-file.ts'

const COUNT: StateFileReading<number> = {
  remedy: 'Delete it.',
  parse: ({ count }) => {
    if (typeof count !== 'number') throw new Error(`count as ${JSON.stringify(count)}`)
    return count
  },
}

describe('state files', () => {
  let folder: string
  let path: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headwater-state-'))
    path = join(folder, 'deep', 'count.json')
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  test('what was written is read, and a file that is not there is undefined', async () => {
    expect(await readStateFile(path, COUNT)).toBeUndefined()
    await writeStateFile(path, { count: 5 })
    expect(await readStateFile(path, COUNT)).toBe(5)
    expect(await readFile(path, 'utf8')).toBe('{"format":1,"count":5}\n')
  })

  test('writes at the same time take turns, the last one stays, and no temporary file is left', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, count) => writeStateFile(path, { count })))
    expect(await readStateFile(path, COUNT)).toBe(19)
    expect(await readdir(join(folder, 'deep'))).toEqual(['count.json'])
  })

  test('another format is refused with the number found', async () => {
    await writeStateFile(path, {})
    await writeFile(path, '{"format":2,"count":5}')
    await expect(readStateFile(path, COUNT)).rejects.toMatchObject({
      code: 'FORMAT_UNKNOWN',
      message: expect.stringContaining('Found: 2.'),
    })
  })

  test.each(['', '{"format":1,"count":', '[]', 'null', '{"format":1,"count":"5"}'])(
    'a damaged file is refused with what to do: %s',
    async content => {
      await writeStateFile(path, {})
      await writeFile(path, content)
      await expect(readStateFile(path, COUNT)).rejects.toMatchObject({
        code: 'STATE_DAMAGED',
        message: expect.stringContaining('Delete it.'),
      })
    },
  )

  test('a file that cannot be written leaves the old content and may be tried again', async () => {
    await writeStateFile(path, { count: 1 })
    await expect(writeStateFile(join(path, 'below-a-file.json'), { count: 2 })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retryable: true,
    })
    expect(await readStateFile(path, COUNT)).toBe(1)
  })
})
