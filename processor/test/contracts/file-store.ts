import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FileStore } from '../../src/ports.ts'

export interface FileStoreSuite {
  /** A new, empty store. */
  make(): Promise<FileStore>
  /** Another store of the same files. Default: none, for a store that keeps nothing in mind. */
  another?(): FileStore
  /** Rounds of the publishing race. */
  raceRounds?: number
  /** How often each of four replaces a file in the race of replacements. */
  replaceRounds?: number
}

/** What every `FileStore` keeps. */
export function testFileStore({ make, another, raceRounds = 1_000, replaceRounds = 25 }: FileStoreSuite): void {
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

    async function published(content: string, final: string): Promise<string> {
      await files.publish(await upload(content), final)
      return (await files.stat(final))?.version ?? ''
    }

    it('puts uploads in the places of the files that were read, several at once', async () => {
      const [one, two] = [await published('one', 'h/a/1'), await published('two', 'h/2')]
      const uploads = [await upload('1'), await upload('a longer one')] as const
      const outcomes = await files.replace([
        { temporary: uploads[0], final: 'h/a/1', version: one },
        { temporary: uploads[1], final: 'h/2', version: two },
      ])
      expect(outcomes).toEqual(['replaced', 'replaced'])
      expect([await contentOf('h/a/1'), await contentOf('h/2')]).toEqual(['1', 'a longer one'])
      expect((await files.list('h')).map(({ path, version }) => [path, version === one || version === two])).toEqual([
        ['h/2', false],
        ['h/a/1', false],
      ])
      for (const temporary of uploads) expect(await files.stat(temporary)).toBeUndefined()
      expect(await files.replace([])).toEqual([])
    })

    it('replaces no other file than the one that was read, and makes none', async () => {
      const version = await published('one', 'i/x')
      const late = await upload('late')
      expect(await files.replace([{ temporary: await upload('two'), final: 'i/x', version }])).toEqual(['replaced'])
      expect(await files.replace([{ temporary: late, final: 'i/x', version }])).toEqual(['changed'])
      expect(await contentOf('i/x')).toBe('two')
      expect(await files.replace([{ temporary: await upload('two'), final: 'i/y', version }])).toEqual(['gone'])
      expect((await files.list('i')).map(({ path }) => path)).toEqual(['i/x'])
    })

    it('says that it changed when the upload is gone', async () => {
      const version = await published('one', 'j/x')
      const temporary = await upload('two')
      const from = { temporary, final: 'j/x', version }
      await (another?.() ?? files).remove(temporary)
      expect(await files.replace([from])).toEqual(['changed'])
      expect(await contentOf('j/x')).toBe('one')
    })

    it(`undoes no replacement by one made from an older file, by four at once, ${replaceRounds} times each`, async () => {
      await published('0', 'k/count')
      let done = false
      const seen: number[] = []
      const reader = (async () => {
        while (!done) seen.push(Number(Buffer.from(await files.read('k/count', 0, 9)).toString()))
      })()
      const adder = async (): Promise<void> => {
        for (let n = 0; n < replaceRounds; ) {
          const { version = '' } = (await files.stat('k/count')) ?? {}
          const count = Number(Buffer.from(await files.read('k/count', 0, 9)).toString())
          // Read by its name: it may be another one already.
          if ((await files.stat('k/count'))?.version !== version) continue
          const temporary = await upload(String(count + 1))
          const [outcome] = await files.replace([{ temporary, final: 'k/count', version }])
          if (outcome === 'replaced') n++
          else await files.remove(temporary)
        }
      }
      await Promise.all([adder(), adder(), adder(), adder()]).finally(() => {
        done = true
      })
      await reader
      expect(await contentOf('k/count')).toBe(String(4 * replaceRounds))
      expect(seen).toEqual(seen.toSorted((a, b) => a - b))
    }, 120_000)

    it('lists the folders in a folder, and removes those with nothing in them', async () => {
      await published('1', 'l/b/deep/1')
      await published('2', 'l/a/2')
      await published('3', 'l/3')
      expect(await files.folders('l')).toEqual(['a', 'b'])
      await files.removeFolder('l/a')
      expect(await contentOf('l/a/2')).toBe('2')
      await files.remove('l/a/2')
      await files.removeFolder('l/a')
      await files.removeFolder('l/a')
      expect(await files.folders('l')).toEqual(['b'])
      expect(await files.folders('nowhere')).toEqual([])
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
