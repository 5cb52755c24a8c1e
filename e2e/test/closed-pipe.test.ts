import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { pipeHeadwater } from '../src/headwater-process.ts'

it.each([
  ['query', '--csv', 'SELECT * FROM range(200000)'],
  ['query', '--json', 'SELECT * FROM range(200000)'],
  ['config', 'print'],
])('headwater %s %s: a reader that has enough, as head, is no error', { timeout: 30_000 }, async (...args) => {
  const dir = await mkdtemp(join(tmpdir(), 'headwater-pipe-'))
  try {
    const child = pipeHeadwater(dir, {}, args)
    child.stdout.destroy()
    let said = ''
    child.stderr.setEncoding('utf8').on('data', text => {
      said += text
    })
    expect(await once(child, 'close')).toEqual([0, null])
    expect(said).toBe('')
  } finally {
    await rm(dir, { recursive: true })
  }
})
