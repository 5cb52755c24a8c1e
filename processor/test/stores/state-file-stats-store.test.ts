import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Counters } from '@headwater/core'
import { describe, expect, it } from 'vitest'
import { stateFileStatsStore } from '../../src/stores/state-file-stats-store.ts'
import { testStatsStore } from '../contracts/stats-store.ts'

const newFile = async (): Promise<string> => join(await mkdtemp(join(tmpdir(), 'hw-stats-')), 'state', 'stats.json')

testStatsStore('stateFileStatsStore', {
  make: async () => {
    const file = await newFile()
    return { store: stateFileStatsStore({ file }), reopen: () => stateFileStatsStore({ file }) }
  },
})

describe('stateFileStatsStore', () => {
  it('writes a file that carries its format', async () => {
    const file = await newFile()
    await stateFileStatsStore({ file }).apply(0, undefined, { position: 3, order: undefined }, new Counters())
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      format: 1,
      partitions: { 0: { position: 3, order: null, counters: { series: [] } } },
    })
  })

  it.each([
    ['cut short', '{"format":1,"partitions":{"0":{"posi', 'STATE_DAMAGED'],
    ['without a position', '{"format":1,"partitions":{"0":{"order":null}}}', 'STATE_DAMAGED'],
    [
      'with counters that are none',
      '{"format":1,"partitions":{"0":{"position":1,"order":null,"counters":{"series":[[5]]}}}}',
      'STATE_DAMAGED',
    ],
    ['of a later version', '{"format":2,"partitions":{}}', 'FORMAT_UNKNOWN'],
  ])('refuses a file %s', async (_what, text, code) => {
    const file = await newFile()
    await stateFileStatsStore({ file }).apply(0, undefined, { position: 3, order: undefined }, new Counters())
    await writeFile(file, text)
    await expect(stateFileStatsStore({ file }).load(0)).rejects.toMatchObject({ code })
  })
})
