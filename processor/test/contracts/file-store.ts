import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FileStore } from '../../src/ports.ts'

export interface FileStoreSuite {
  /** A new, empty store. */
  make(): Promise<FileStore>
  /** Rounds of the publishing race. */
  raceRounds?: number
}

/** What every `FileStore` keeps. */
export function testFileStore({ make, raceRounds = 1_000 }: FileStoreSuite): void {
  describe('FileStore', () => {
    let files: FileStore
    let local: string
    beforeAll(async () => {
      files = await make()
      local = await mkdtemp(join(tmpdir(), 'headwater-files-'))
    })
    afterAll(() => rm(local, { recursive: true, force: true }))

    async function upload(content: string): Promise<string> {
      const from = join(local, randomUUID())
      await writeFile(from, content)
      const temporary = `_tmp/t/${randomUUID()}`
      await files.put(from, temporary)
      await rm(from)
      return temporary
    }

    async function contentOf(path: string): Promise<string> {
      const found = await files.stat(path)
      return Buffer.from(await files.read(path, 0, found?.bytes ?? 0)).toString()
    }

    it('shows an uploaded file whole under its temporary path, also after the local file is gone', async () => {
      const temporary = await upload('rows')
      expect(await files.stat(temporary)).toMatchObject({ path: temporary, bytes: 4 })
      expect(await contentOf(temporary)).toBe('rows')
    })

    it('moves an upload to its final path and makes the folders', async () => {
      const temporary = await upload('rows')
      expect(await files.publish(temporary, 'a/day=2025-06-18/hour=03/x.parquet')).toBe('published')
      expect(await contentOf('a/day=2025-06-18/hour=03/x.parquet')).toBe('rows')
      expect(await files.stat(temporary)).toBeUndefined()
    })

    it('never replaces what is published', async () => {
      await files.publish(await upload('first'), 'b/x')
      const second = await upload('second')
      expect(await files.publish(second, 'b/x')).toBe('exists')
      expect(await contentOf('b/x')).toBe('first')
      await files.remove(second)
    })

    it('may be asked again to publish what it has published', async () => {
      const temporary = await upload('once')
      await files.publish(temporary, 'c/x')
      expect(await files.publish(temporary, 'c/x')).toBe('exists')
      expect(await contentOf('c/x')).toBe('once')
    })

    it('never moves a file into a folder of the final name', async () => {
      await files.publish(await upload('inside'), 'd/folder/x')
      const temporary = await upload('other')
      expect(await files.publish(temporary, 'd/folder').catch(() => 'rejected')).not.toBe('published')
      expect((await files.list('d')).map(file => file.path)).toEqual(['d/folder/x'])
      await files.remove(temporary)
    })

    it('rejects with a retryable error when there is nothing to publish', async () => {
      await expect(files.publish('_tmp/t/nothing', 'e/x')).rejects.toMatchObject({ retryable: true })
      expect(await files.stat('e/x')).toBeUndefined()
    })

    it('lists all files below a folder in order of path, and nothing for a missing folder', async () => {
      await files.publish(await upload('1'), 'f/b/1')
      await files.publish(await upload('22'), 'f/a/2')
      const found = await files.list('f')
      expect(found.map(({ path, bytes }) => [path, bytes])).toEqual([
        ['f/a/2', 2],
        ['f/b/1', 1],
      ])
      expect(Math.abs(Date.now() - (found[0]?.modifiedAt ?? 0))).toBeLessThan(3_600_000)
      expect(await files.list('nowhere')).toEqual([])
    })

    it('says undefined of a missing file and of a folder', async () => {
      expect(await files.stat('nowhere/x')).toBeUndefined()
      expect(await files.stat('f/a')).toBeUndefined()
    })

    it('reads a range, and less when the file ends before', async () => {
      await files.publish(await upload('0123456789'), 'g/x')
      expect(Buffer.from(await files.read('g/x', 2, 5)).toString()).toBe('234')
      expect(Buffer.from(await files.read('g/x', 8, 20)).toString()).toBe('89')
      expect(Buffer.from(await files.read('g/x', 10, 12)).toString()).toBe('')
      expect(Buffer.from(await files.read('g/x', 20, 22)).toString()).toBe('')
    })

    it('replaces a small file whole', async () => {
      await files.write('_position/m.json', Buffer.from('{"position":1}'))
      await files.write('_position/m.json', Buffer.from('{}'))
      expect(await contentOf('_position/m.json')).toBe('{}')
      expect((await files.list('_position')).map(file => file.path)).toEqual(['_position/m.json'])
    })

    it('removes a file, and does not mind when it is gone', async () => {
      const temporary = await upload('rows')
      await files.remove(temporary)
      await files.remove(temporary)
      expect(await files.stat(temporary)).toBeUndefined()
    })

    it(`lets one of two win who publish the same name at once, ${raceRounds} times`, async () => {
      const from = [join(local, 'left'), join(local, 'right')]
      await writeFile(from[0] as string, 'left')
      await writeFile(from[1] as string, 'right')
      for (let round = 0; round < raceRounds; round++) {
        const final = `race/${round}`
        const answers = await Promise.all(
          ['left', 'right'].map(async (side, i) => {
            const temporary = `_tmp/race/${round}.${side}`
            await files.put(from[i] as string, temporary)
            return { side, temporary, answer: await files.publish(temporary, final) }
          }),
        )
        const winners = answers.filter(({ answer }) => answer === 'published')
        expect(winners).toHaveLength(1)
        expect(await contentOf(final)).toBe(winners[0]?.side)
        await Promise.all(answers.map(({ temporary }) => files.remove(temporary)))
      }
      expect(await files.list('_tmp/race')).toEqual([])
    }, 120_000)
  })
}
