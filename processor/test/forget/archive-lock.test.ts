import { chmod, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { beginReading, whileNobodyReads } from '../../src/archive-lock.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'headwater-lock-'))
})
afterEach(async () => {
  await chmod(dir, 0o700)
  await rm(dir, { recursive: true, force: true })
})

const LONG_AGO = new Date(Date.now() - 60_000)

describe('the lock of an archive', () => {
  it('never has a reader and a replacer at a time, whoever comes first', async () => {
    let reading = 0
    let replacing = 0
    const reader = async (): Promise<void> => {
      for (let n = 0; n < 20; n++) {
        const end = await beginReading(dir)
        reading++
        expect(replacing).toBe(0)
        await new Promise(setImmediate)
        expect(replacing).toBe(0)
        reading--
        await end()
      }
    }
    const replacer = async (): Promise<void> => {
      for (let n = 0; n < 10; n++) {
        await whileNobodyReads(dir, async () => {
          replacing++
          expect([reading, replacing]).toEqual([0, 1])
          await new Promise(setImmediate)
          expect([reading, replacing]).toEqual([0, 1])
          replacing--
        })
      }
    }
    await Promise.all([reader(), reader(), reader(), replacer(), replacer()])
    expect(await readdir(join(dir, '_readers'))).toEqual([])
  })

  it('does not wait for a reader or a replacer that was killed', async () => {
    await (await beginReading(dir))()
    await writeFile(join(dir, '_readers', 'left'), '')
    await utimes(join(dir, '_readers', 'left'), LONG_AGO, LONG_AGO)
    await writeFile(join(dir, '_replacing'), '')
    await utimes(join(dir, '_replacing'), LONG_AGO, LONG_AGO)
    await (await beginReading(dir))()
    expect(await whileNobodyReads(dir, async () => 'done')).toBe('done')
    expect((await readdir(dir)).sort()).toEqual(['_readers'])
  })

  it('lets go when the work fails', async () => {
    await expect(whileNobodyReads(dir, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await (await beginReading(dir))()
  })

  it('announces nobody in a folder that is missing', async () => {
    await (await beginReading(join(dir, 'missing')))()
    expect(await readdir(dir)).toEqual([])
  })
})
