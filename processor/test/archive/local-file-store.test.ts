import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { localFileStore } from '../../src/stores/local-file-store.ts'
import { testFileStore } from '../contracts/file-store.ts'

let root: string
let made = 0
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'headwater-store-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('local disk', () => {
  testFileStore({ make: async () => localFileStore(join(root, `store-${made++}`)) })

  it('refuses paths that lead out of the store', async () => {
    const files = localFileStore(join(root, 'inside'))
    for (const path of ['../x', '/etc/passwd', 'a/../../x', 'a//b', './x', '', 'a\0b']) {
      expect(() => files.stat(path)).toThrow('A stored file')
    }
  })

  it('does not list what a symbolic link points at', async () => {
    await mkdir(join(root, 'linked'), { recursive: true })
    await writeFile(join(root, 'outside'), 'secret')
    await symlink(join(root, 'outside'), join(root, 'linked', 'x'))
    expect(await localFileStore(join(root, 'linked')).list('')).toEqual([])
  })

  it('lets one of two processes win, 1 000 times', async () => {
    // The children run the same source: bundled here, because Node 20 cannot load TypeScript.
    const source = fileURLToPath(new URL('../../src/stores/local-file-store.ts', import.meta.url))
    await build({
      logLevel: 'silent',
      configFile: false,
      build: {
        ssr: source,
        outDir: join(root, 'bundle'),
        rolldownOptions: { output: { entryFileNames: 'store.mjs' } },
      },
    })
    await writeFile(
      join(root, 'bundle', 'racer.mjs'),
      `import { localFileStore } from './store.mjs'
       import { writeFile } from 'node:fs/promises'
       const [root, side] = process.argv.slice(2)
       const files = localFileStore(root)
       await writeFile(root + '/' + side, side)
       await new Promise(resolve => { process.stdin.once('data', resolve); process.stdout.write('ready') })
       process.stdin.unref?.()
       const won = []
       for (let i = 0; i < 1000; i++) {
         await files.put(root + '/' + side, '_tmp/' + i + '.' + side)
         if (await files.publish('_tmp/' + i + '.' + side, 'race/' + i) === 'published') won.push(i)
       }
       process.stdout.write(JSON.stringify(won))
       process.exit(0)`,
    )
    const store = join(root, 'two')
    await mkdir(store)
    const racers = ['left', 'right'].map(side => {
      const child = spawn(process.execPath, [join(root, 'bundle', 'racer.mjs'), store, side], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      let output = ''
      const ready = new Promise<void>(resolve => {
        child.stdout.on('data', data => {
          output += data
          if (output.startsWith('ready')) resolve()
        })
      })
      const won = new Promise<number[]>((resolve, reject) => {
        child.on('close', code => {
          if (code === 0) resolve(JSON.parse(output.slice('ready'.length)))
          else reject(new Error(`The racer ended with ${code}.`))
        })
      })
      return { side, child, ready, won }
    })
    await Promise.all(racers.map(racer => racer.ready))
    for (const { child } of racers) child.stdin.write('go')
    const [left, right] = (await Promise.all(racers.map(racer => racer.won))) as [number[], number[]]
    expect([...left, ...right].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    for (const i of left) expect(await readFile(join(store, 'race', String(i)), 'utf8')).toBe('left')
  }, 120_000)
})
