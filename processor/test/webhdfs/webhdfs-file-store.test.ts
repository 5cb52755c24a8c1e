import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { findHdfs, HDFS_MISSING, serviceOrSkip } from '@headwater/testkit'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FileStore } from '../../src/ports.ts'
import { hdfsChecksumOf } from '../../src/webhdfs/hdfs-checksum.ts'
import { WebHdfsClient } from '../../src/webhdfs/webhdfs-client.ts'
import { testFileStore } from '../contracts/file-store.ts'
import { type HdfsUnderTest, hdfsUnderTest, insist, USER } from './hdfs-under-test.ts'
import { byteProxy, type Meddle, type NameNodeMeddling, nameNodeProxy } from './meddling-proxy.ts'

const RACE_ROUNDS = 1_000
const RACES_AT_ONCE = 10

describe.skipIf(!serviceOrSkip('HDFS', findHdfs(), HDFS_MISSING))('webhdfsFileStore on a real HDFS', () => {
  let under: HdfsUnderTest
  let local: string
  beforeAll(async () => {
    local = mkdtempSync(join(tmpdir(), 'headwater-webhdfs-'))
    under = await hdfsUnderTest()
  }, 300_000)
  afterAll(async () => {
    await under?.hdfs.stop()
    rmSync(local, { recursive: true, force: true })
  })

  /** A local file. */
  function file(content: Buffer | string): string {
    const path = join(local, randomUUID())
    writeFileSync(path, content)
    return path
  }

  async function upload(files: FileStore, content: Buffer | string = 'rows'): Promise<string> {
    const temporary = `_tmp/t/${randomUUID()}`
    await files.put(file(content), temporary)
    return temporary
  }

  async function contentOf(files: FileStore, path: string): Promise<Buffer> {
    return insist(async () => Buffer.from(await files.read(path, 0, (await files.stat(path))?.bytes ?? 0)))
  }

  // The 1 000 rounds are run below, by two stores.
  let contractRoot = ''
  testFileStore({
    make: async () => {
      contractRoot = await under.newRoot()
      return under.newStore({ root: contractRoot })
    },
    another: () => under.storeIn(contractRoot),
    raceRounds: 10,
    replaceRounds: 4,
  })

  it(`lets one of two stores win who publish the same name at once, ${RACE_ROUNDS} times`, async () => {
    const root = await under.newRoot()
    const sides = ['left', 'right'] as const
    const stores = [await under.newStore({ root }), await under.newStore({ root })]
    const locals = sides.map(side => file(side))
    const started = performance.now()
    const won = { left: 0, right: 0 }
    const round = async (n: number): Promise<void> => {
      const temporaries = sides.map(side => `_tmp/race/${n}.${side}`)
      const put = (store: FileStore, i: number): Promise<void> =>
        insist(() => store.put(locals[i] as string, temporaries[i] as string))
      await Promise.all(stores.map(put))
      const answers = await Promise.all(stores.map((store, i) => store.publish(temporaries[i] as string, `race/${n}`)))
      expect([...answers].sort()).toEqual(['exists', 'published'])
      const winner = sides[answers.indexOf('published')] as 'left' | 'right'
      expect((await stores[0]?.read(`race/${n}`, 0, 100))?.toString()).toBe(winner)
      won[winner]++
    }
    for (let n = 0; n < RACE_ROUNDS; n += RACES_AT_ONCE)
      await Promise.all(Array.from({ length: RACES_AT_ONCE }, (_, i) => round(n + i)))
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    process.stderr.write(`race: ${RACE_ROUNDS} rounds in ${seconds} s, left ${won.left}, right ${won.right}\n`)
    expect(await stores[0]?.list('race')).toHaveLength(RACE_ROUNDS)
    expect(await stores[0]?.list('_tmp/race')).toHaveLength(RACE_ROUNDS)
  }, 600_000)

  describe('uploads', () => {
    /** A store that reaches the DataNode through something that meddles with the bytes. */
    async function throughBytes(meddle: Meddle): Promise<{ files: FileStore; end(): Promise<void> }> {
      const proxy = await byteProxy(under.hdfs.dataNode, meddle)
      const files = await under.newStore({ dataNodes: { hosts: { [under.hdfs.dataNode]: proxy.address } } })
      return { files, end: proxy.close }
    }

    it("computes HDFS's own checksum, for any number of blocks", async () => {
      const root = await under.newRoot()
      for (const [bytes, blockSize] of [
        [1, 1 << 20],
        [511, 1 << 20],
        [512, 1 << 20],
        [513, 1 << 20],
        [1 << 20, 1 << 20],
        [2_716_276, 1 << 27],
        [2_716_276, 1 << 20],
        [5_500_000, 1 << 20],
        [100_000, 4096],
      ] as const) {
        const content = randomBytes(bytes)
        const path = `${root}/${randomUUID()}`
        await under.client.create(path, { bytes, open: () => Readable.from([content]) }, blockSize)
        const { algorithm = '', md5 } = (await under.client.checksum(path)) ?? {}
        expect([bytes, blockSize, await hdfsChecksumOf(file(content), algorithm, blockSize)]).toEqual([
          bytes,
          blockSize,
          md5,
        ])
      }
    })

    it('takes an empty file and one of several blocks', async () => {
      const files = await under.newStore({ blockSize: 1 << 20 })
      const content = randomBytes(3_500_000)
      await files.publish(await upload(files, content), 'blocks')
      await files.publish(await upload(files, ''), 'empty')
      expect((await contentOf(files, 'blocks')).equals(content)).toBe(true)
      expect((await files.stat('empty'))?.bytes).toBe(0)
    })

    it('never takes an upload that was cut for whole, though HDFS does', async () => {
      const { files, end } = await throughBytes((chunk, at) => (at > 2_000_000 ? undefined : chunk))
      const temporary = '_tmp/t/cut'
      await expect(files.put(file(randomBytes(6_000_000)), temporary)).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        retryable: true,
      })
      await expect(files.publish(temporary, 'cut')).rejects.toMatchObject({ retryable: true })
      expect(await files.stat('cut')).toBeUndefined()
      await end()

      // That is what it would have been: closed, readable, too short.
      const proxy = await byteProxy(under.hdfs.dataNode, (chunk, at) => (at > 2_000_000 ? undefined : chunk))
      const hosts = { [under.hdfs.dataNode]: proxy.address }
      const client = new WebHdfsClient({ ...under.clientOptions(), dataNodes: { hosts } })
      const path = `${await under.newRoot()}/cut`
      const body = { bytes: 6_000_000, open: () => Readable.from([randomBytes(6_000_000)]) }
      await expect(client.create(path, body)).rejects.toMatchObject({ sent: true })
      await expect.poll(() => client.isClosed(path), { timeout: 20_000 }).toBe(true)
      const found = (await client.status(path))?.bytes ?? 0
      expect(found).toBeGreaterThan(0)
      expect(found).toBeLessThan(6_000_000)
      await proxy.close()
    }, 60_000)

    it('notices a byte that changed on the way', async () => {
      const { files, end } = await throughBytes((chunk, at) => {
        if (at <= 500_000 && at + chunk.length > 500_000) chunk[500_000 - at] = (chunk[500_000 - at] as number) ^ 1
        return chunk
      })
      await expect(files.put(file(randomBytes(1_000_000)), '_tmp/t/flipped')).rejects.toThrow(
        /must have the checksum [0-9a-f]{32} after its upload\. Found: [0-9a-f]{32}/,
      )
      expect(await files.list('_tmp')).toEqual([])
      await end()
    })

    it('gives up on a DataNode that froze in mid body, and goes on when it does', async () => {
      let frozen = false
      const proxy = await byteProxy(under.hdfs.dataNode, (chunk, at) => {
        if (at > 2_000_000 && !frozen) {
          frozen = true
          under.hdfs.pause('dn')
        }
        return chunk
      })
      const hosts = { [under.hdfs.dataNode]: proxy.address }
      const files = await under.newStore({ dataNodes: { hosts }, timeouts: { idleMs: 1_500 } })
      const content = randomBytes(20_000_000)
      try {
        await expect(files.put(file(content), '_tmp/t/frozen')).rejects.toThrow(/A DataNode does not answer.*silent/)
      } finally {
        under.hdfs.resume('dn')
      }
      await under.hdfs.ready()
      const patient = await under.newStore()
      await patient.publish(await upload(patient, content), 'whole')
      expect((await contentOf(patient, 'whole')).equals(content)).toBe(true)
      await proxy.close()
    }, 90_000)

    it('goes on after a DataNode died in mid body', async () => {
      let killed: Promise<void> | undefined
      const { files, end } = await throughBytes((chunk, at) => {
        if (at > 2_000_000) killed ??= under.hdfs.kill('dn')
        return chunk
      })
      const content = randomBytes(20_000_000)
      await expect(files.put(file(content), '_tmp/t/first')).rejects.toThrow(/A DataNode does not answer/)
      await killed
      await expect(files.put(file(content), '_tmp/t/second')).rejects.toMatchObject({ retryable: true })
      await under.hdfs.restart('dn')
      await files.put(file(content), '_tmp/t/third')
      expect(await files.publish('_tmp/t/third', 'whole')).toBe('published')
      expect((await contentOf(files, 'whole')).equals(content)).toBe(true)
      await end()
    }, 120_000)
  })

  describe('renames', () => {
    it('finds out what became of renames that a NameNode was killed under', async () => {
      const files = await under.newStore()
      const temporaries = await Promise.all(Array.from({ length: 40 }, (_, i) => upload(files, `rows ${i}`)))
      let killed: Promise<void> | undefined
      let answered = 0
      const first: PromiseSettledResult<string>[] = []
      // Eight at a time, so that they die at different places.
      const queue = temporaries.map((temporary, i) => async () => {
        const answer = files.publish(temporary, `killed/${i}`)
        first[i] = (await Promise.allSettled([answer]))[0]
        if (++answered === 12) killed = under.hdfs.kill('nn')
      })
      const worker = async (): Promise<void> => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) await next()
      }
      await Promise.all(Array.from({ length: 8 }, worker))
      await killed
      const unknown = first.filter(({ status }) => status === 'rejected')
      for (const result of unknown) expect(result).toMatchObject({ reason: { retryable: true } })
      await under.hdfs.restart('nn')
      const done = new Set((await files.list('killed')).map(({ path }) => path))
      const unknownDone = first.filter(({ status }, i) => status === 'rejected' && done.has(`killed/${i}`))
      process.stderr.write(`NameNode killed: ${unknown.length} of 40 unanswered, ${unknownDone.length} of them done\n`)
      for (const [i, { status }] of first.entries()) {
        if (status === 'rejected') {
          expect(await files.publish(temporaries[i] as string, `killed/${i}`)).toBe('published')
        }
        expect((await contentOf(files, `killed/${i}`)).toString()).toBe(`rows ${i}`)
      }
      expect(await files.list('_tmp')).toEqual([])
    }, 180_000)

    it('gives up on a frozen NameNode in time, and finds the rename done when it happens late', async () => {
      const files = await under.newStore({ timeouts: { nameNodeMs: 1_500 } })
      // The rename alone meets the frozen NameNode.
      let froze = false
      const proxy = await nameNodeProxy(under.hdfs.nameNodeUrl, {
        rewrite: query => {
          if (query.get('op') !== 'RENAME' || froze) return
          froze = true
          under.hdfs.pause('nn')
        },
      })
      const root = await under.newRoot()
      const frozen = await under.newStore({
        root,
        nameNodes: [`http://${proxy.address}`],
        timeouts: { nameNodeMs: 1_500 },
      })
      const temporary = await upload(frozen)
      try {
        await expect(frozen.publish(temporary, 'late')).rejects.toMatchObject({
          retryable: true,
          message: expect.stringContaining('No NameNode answers'),
        })
        await expect(files.stat('x')).rejects.toMatchObject({ retryable: true })
      } finally {
        under.hdfs.resume('nn')
      }
      await expect.poll(() => frozen.stat('late').catch(() => undefined), { timeout: 30_000 }).toBeDefined()
      expect(await frozen.publish(temporary, 'late')).toBe('published')
      expect(await frozen.list('_tmp')).toEqual([])
      await proxy.close()
    }, 90_000)

    async function throughNameNode(
      meddling: NameNodeMeddling,
      more: { nameNodes?: (address: string) => string[] } = {},
    ): Promise<{ files: FileStore; root: string; end(): Promise<void> }> {
      const proxy = await nameNodeProxy(under.hdfs.nameNodeUrl, meddling)
      const root = await under.newRoot()
      const url = `http://${proxy.address}`
      const files = await under.newStore({ root, nameNodes: more.nameNodes?.(url) ?? [url] })
      return { files, root, end: proxy.close }
    }

    it('is not misled by an answer that was lost', async () => {
      let lost = 0
      const { files, end } = await throughNameNode({
        loseAnswer: query => query.get('op') === 'RENAME' && lost++ % 2 === 0,
      })
      const other = await upload(files, 'other')
      expect(await files.publish(await upload(files), 'x')).toBe('published')
      expect(await files.publish(other, 'x')).toBe('exists')
      await files.write('mark', Buffer.from('1'))
      await files.write('mark', Buffer.from('2'))
      expect((await contentOf(files, 'mark')).toString()).toBe('2')
      expect(lost).toBeGreaterThanOrEqual(3)
      await end()
    })

    it('keeps its promises with a server that knows neither noredirect nor renameoptions', async () => {
      const { files, root, end } = await throughNameNode({
        rewrite: query => {
          query.delete('noredirect')
          query.delete('renameoptions')
        },
      })
      expect(await files.publish(await upload(files, 'first'), 'x')).toBe('published')
      expect(await files.publish(await upload(files, 'second'), 'x')).toBe('exists')
      expect((await contentOf(files, 'x')).toString()).toBe('first')
      await under.client.mkdirs(`${root}/folder`)
      await expect(files.publish(await upload(files), 'folder')).rejects.toThrow(
        /folder cannot be published\. A folder has its name: move it away\. Found: DIRECTORY/,
      )
      expect(await files.list('folder')).toEqual([])
      await files.write('mark', Buffer.from('1'))
      await expect(files.write('mark', Buffer.from('2'))).rejects.toThrow(/mark cannot be replaced/)
      await end()
    })

    it('finds the active NameNode of a list', async () => {
      const exception = 'StandbyException'
      const message = 'Operation category READ is not supported in state standby'
      let asked = 0
      const { files, end } = await throughNameNode(
        {
          answer: () => {
            asked++
            return { status: 403, body: JSON.stringify({ RemoteException: { exception, message } }) }
          },
        },
        { nameNodes: standby => ['http://127.0.0.1:9', standby, under.hdfs.nameNodeUrl] },
      )
      expect(await files.publish(await upload(files), 'x')).toBe('published')
      // The one that answered is asked first from then on.
      expect(asked).toBe(1)
      await end()
    })
  })

  describe('replacements', () => {
    /** `count` published files, and what would replace each by `text`. */
    async function published(files: FileStore, count: number): Promise<string[]> {
      const names = Array.from({ length: count }, (_, i) => `r/${i}`)
      for (const name of names) await files.publish(await upload(files, `old ${name}`), name)
      return names
    }

    async function replaceAll(files: FileStore, names: readonly string[], text: string): Promise<string[]> {
      const replacements = []
      for (const final of names) {
        const version = (await files.stat(final))?.version ?? ''
        replacements.push({ temporary: await upload(files, `${text} ${final}`), final, version })
      }
      return files.replace(replacements)
    }

    const isReplacement = (query: URLSearchParams): boolean => query.get('renameoptions') === 'OVERWRITE'
    const contents = (files: FileStore, names: readonly string[]) =>
      Promise.all(names.map(async name => (await contentOf(files, name)).toString()))

    async function through(
      meddling: NameNodeMeddling,
    ): Promise<{ files: FileStore; root: string; end(): Promise<void> }> {
      const proxy = await nameNodeProxy(under.hdfs.nameNodeUrl, meddling)
      const root = await under.newRoot()
      return { files: under.storeIn(root, { nameNodes: [`http://${proxy.address}`] }), root, end: proxy.close }
    }

    /** Replacements by somebody who was killed when his first rename had got stuck: his uploads and his lock are there. */
    async function stuckReplacements(count: number) {
      let isDead = false
      const {
        files: dying,
        root,
        end,
      } = await through({
        swallow: query => {
          isDead ||= isReplacement(query)
          return isDead
        },
      })
      const files = under.storeIn(root, { lockStaleMs: 300 })
      const names = await published(files, count)
      await expect(replaceAll(dying, names, 'stuck')).rejects.toMatchObject({ retryable: true })
      const [stuck] = (await files.list('_tmp')).filter(({ path }) => path.startsWith('_tmp/t/'))
      return { files, root, names, stuck, end }
    }

    it('are not misled by answers that were lost', async () => {
      let renames = 0
      const { files, root, end } = await through({
        loseAnswer: query => query.get('op') === 'RENAME' && renames++ % 2 === 0,
      })
      const names = await published(under.storeIn(root), 3)
      expect(await replaceAll(files, names, 'new')).toEqual(names.map(() => 'replaced'))
      expect(await contents(files, names)).toEqual(names.map(name => `new ${name}`))
      expect((await files.list('')).map(({ path }) => path)).toEqual(names)
      await end()
    })

    it('that got stuck, of somebody who was killed, cannot happen any more when the next one has had his turn', async () => {
      const { files, root, names, stuck, end } = await stuckReplacements(2)
      expect((await files.list('_replacing')).length).toBe(1)

      expect(await replaceAll(files, names, 'next')).toEqual(['replaced', 'replaced'])
      // What got stuck comes through now.
      const late = await under.asUser(
        'PUT',
        `${root}/${stuck?.path}`,
        `op=RENAME&renameoptions=OVERWRITE&destination=${root}/${names[0]}`,
      )
      expect(late).toBe(404)
      expect(await contents(files, names)).toEqual(names.map(name => `next ${name}`))
      expect((await files.list('')).map(({ path }) => path)).toEqual(names)
      await end()
    })

    it('that got stuck and come through before the next one had his turn are seen by him', async () => {
      const { files, root, names, stuck, end } = await stuckReplacements(1)
      const next = {
        temporary: await upload(files, 'next'),
        final: 'r/0',
        version: (await files.stat('r/0'))?.version ?? '',
      }
      await under.asUser('PUT', `${root}/${stuck?.path}`, `op=RENAME&renameoptions=OVERWRITE&destination=${root}/r/0`)
      expect(await files.replace([next])).toEqual(['changed'])
      expect(await contents(files, names)).toEqual(['stuck r/0'])
      await end()
    })

    it('of somebody who hangs and is taken for dead are begun again by him', async () => {
      const root = await under.newRoot()
      const other = under.storeIn(root, { lockStaleMs: 300 })
      const names = await published(other, 2)
      const [first = '', second = ''] = names
      let hangs: Promise<unknown> | undefined
      const proxy = await nameNodeProxy(under.hdfs.nameNodeUrl, {
        // Before its second rename another one takes over.
        delay: async query => {
          if (!isReplacement(query) || !query.get('destination')?.endsWith(second)) return
          hangs ??= replaceAll(other, [second], 'other')
          await hangs
        },
      })
      const files = under.storeIn(root, { nameNodes: [`http://${proxy.address}`] })
      expect(await replaceAll(files, names, 'new')).toEqual(['replaced', 'changed'])
      expect(await contents(files, names)).toEqual([`new ${first}`, `other ${second}`])
      expect((await files.list('')).map(({ path }) => path)).toEqual(names)
      await proxy.close()
    })

    it('under a NameNode that is killed leave each file old or new, and are done when they are asked for again', async () => {
      let renames = 0
      let killing: Promise<void> | undefined
      const {
        files: unlucky,
        root,
        end,
      } = await through({
        rewrite: query => {
          if (isReplacement(query) && ++renames === 4) killing = under.hdfs.kill('nn')
        },
      })
      const files = under.storeIn(root, { lockStaleMs: 300 })
      const names = await published(files, 8)
      await expect(replaceAll(unlucky, names, 'new')).rejects.toMatchObject({ retryable: true })
      await killing
      await under.hdfs.restart('nn')
      const after = await contents(files, names)
      const done = after.filter(text => text.startsWith('new')).length
      process.stderr.write(`NameNode killed at the fourth of eight replacements: ${done} done\n`)
      expect(after.map(text => text.replace(/^(old|new) /, ''))).toEqual(names)
      expect(await replaceAll(files, names, 'new')).toEqual(names.map(() => 'replaced'))
      expect(await contents(files, names)).toEqual(names.map(name => `new ${name}`))
      expect((await files.list('')).map(({ path }) => path)).toEqual(names)
      await end()
    }, 120_000)

    it('make no folder nor file of what is none', async () => {
      const files = await under.newStore()
      const [name = ''] = await published(files, 1)
      await files.publish(await upload(files), 'r/folder/x')
      const { version = '' } = (await files.stat(name)) ?? {}
      expect(await files.replace([{ temporary: await upload(files), final: 'r/folder', version }])).toEqual(['changed'])
      await expect(files.replace([{ temporary: '_tmp/t/never', final: name, version }])).rejects.toThrow(/no upload/)
      expect((await files.list('')).map(({ path }) => path)).toEqual([name, 'r/folder/x'])
    })
  })

  describe('troubles that an operator has to mend', () => {
    it('says so in safe mode, and goes on after it', async () => {
      const files = await under.newStore()
      const temporary = await upload(files)
      await under.hdfs.dfsadmin('-safemode', 'enter')
      try {
        await expect(files.publish(temporary, 'safe')).rejects.toMatchObject({
          retryable: true,
          message: expect.stringContaining('in safe mode'),
        })
        await expect(upload(files)).rejects.toMatchObject({ retryable: true })
        expect(await files.stat(temporary)).toMatchObject({ bytes: 4 })
      } finally {
        await under.hdfs.dfsadmin('-safemode', 'leave')
      }
      expect(await files.publish(temporary, 'safe')).toBe('published')
    }, 90_000)

    it('names the user who may not write, once in the log, and goes on when he may', async () => {
      const errors: string[] = []
      const log = pino({ level: 'error' }, { write: (line: string) => void errors.push(line) })
      const root = await under.newRoot()
      const files = await under.newStore({ ...under.clientOptions('stranger'), root, log })
      for (const what of [() => upload(files), () => upload(files), () => files.probe()]) {
        await expect(what()).rejects.toMatchObject({
          retryable: true,
          message: expect.stringMatching(
            /The user stranger may not do this.*chown -R stranger.*AccessControlException/,
          ),
        })
      }
      expect(errors).toHaveLength(2)
      expect(await under.asSuperuser('PUT', root, 'op=SETPERMISSION&permission=777')).toBe(200)
      expect(await files.publish(await upload(files), 'x')).toBe('published')
      await files.probe()
      expect(await files.list('')).toHaveLength(1)
    })

    it.each([1_000, 30_000_000])(
      'says that the folder is at its quota (%i bytes)',
      async bytes => {
        const root = await under.newRoot()
        const files = await under.newStore({ root })
        expect(await under.asSuperuser('PUT', root, `op=SETQUOTA&namespacequota=100&storagespacequota=1000`)).toBe(200)
        await expect(upload(files, randomBytes(bytes))).rejects.toMatchObject({
          retryable: true,
          message: expect.stringMatching(/The folder is at its quota.*DSQuotaExceededException/),
        })
        expect(await files.list('')).toEqual([])
        expect(await under.asSuperuser('PUT', root, `op=SETQUOTA&namespacequota=-1&storagespacequota=-1`)).toBe(200)
        expect(await files.publish(await upload(files, randomBytes(bytes)), 'x')).toBe('published')
      },
      60_000,
    )

    it('says so too when the answer was lost in the reset of the connection', async () => {
      const proxy = await byteProxy(under.hdfs.dataNode, (chunk, at) => (at > 30_000 ? undefined : chunk))
      const root = await under.newRoot()
      const files = await under.newStore({ root, dataNodes: { hosts: { [under.hdfs.dataNode]: proxy.address } } })
      await under.asSuperuser('PUT', root, 'op=SETQUOTA&namespacequota=100&storagespacequota=1000')
      await expect(upload(files, randomBytes(5_000_000))).rejects.toThrow(/The folder is at its quota/)
      await proxy.close()
    })

    it('says that no DataNode has room', async () => {
      const files = await under.newStore({ blockSize: 2 ** 50 })
      await expect(upload(files)).rejects.toMatchObject({
        retryable: true,
        message: expect.stringMatching(/No DataNode takes the file: none is running, or all are full/),
      })
    })

    it('names the address that is no NameNode, the one that nobody listens on, and the DataNode that is not allowed', async () => {
      const wrong = await under.newStore({ nameNodes: [`http://${under.hdfs.dataNode}`] })
      await expect(wrong.list('')).rejects.toThrow(/STORE_UNAVAILABLE:/)
      const nobody = await under.newStore({ nameNodes: ['http://127.0.0.1:9'] })
      await expect(nobody.list('')).rejects.toThrow(/No NameNode answers.*ECONNREFUSED/)
      const narrow = await under.newStore({ dataNodes: { allow: ['*:9864'] } })
      await expect(narrow.probe()).rejects.toThrow(/Name the DataNodes in the configuration.*Found: 127\.0\.0\.1:\d+/)
    })
  })

  it('is read by the npm package webhdfs, byte by byte, whatever the name', async () => {
    const root = await under.newRoot()
    const files = await under.newStore({ root })
    const content = randomBytes(1_500_000)
    const name = 'scenario_log/day=2025-06-18/hour=03/scenario-log+0+0000000000000042.parquet'
    await files.publish(await upload(files, content), name)
    const { hostname: host, port } = new URL(under.hdfs.nameNodeUrl)
    const webhdfs = createRequire(import.meta.url)('webhdfs') as {
      createClient(options: object): {
        createReadStream(path: string): Readable
        readdir(
          path: string,
          done: (error: Error | null, entries: { pathSuffix: string; length: number }[]) => void,
        ): void
      }
    }
    const independent = webhdfs.createClient({ user: USER, host, port, path: '/webhdfs/v1' })
    const chunks: Buffer[] = []
    const path = `${root}/${name}`.split('/').map(encodeURIComponent).join('/')
    const reading = independent.createReadStream(path)
    await new Promise((resolve, reject) => {
      reading.on('data', chunk => void chunks.push(chunk as Buffer))
      reading.on('error', reject)
      reading.on('finish', resolve)
    })
    expect(Buffer.concat(chunks).equals(content)).toBe(true)
  })
})
