import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ArchiveRetentionOptions, expireArchive, expireDeadLetters } from '../../src/archive-retention.ts'
import { localFileStore } from '../../src/stores/local-file-store.ts'
import { ARRIVAL, ask, entriesOf, footers, testEvent, testSink, writeArchive } from './forget-archive.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

let root: string
let options: ArchiveRetentionOptions
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'headwater-retention-'))
  const files = localFileStore(join(root, 'archive'))
  options = { files, tempDir: join(root, 'tmp'), keepDays: 2, log: pino({ level: 'silent' }) }
})
afterEach(() => rm(root, { recursive: true, force: true }))

const counts = () => ask(root, 'SELECT (SELECT count(*) FROM event_log), (SELECT count(*) FROM scenario_log)')
const list = Array.from({ length: 50 }, (_, n) => testEvent(n, 5))
const assigned = { partition: 0, committed: undefined, oldest: 0, end: 52 }
/** The first moment at which the day of `ARRIVAL` is no longer among the last two. */
const over = Math.floor(ARRIVAL / DAY_MS) * DAY_MS + 3 * DAY_MS

describe('expireArchive', () => {
  it('keeps all without a limit, and whole days within it', async () => {
    await writeArchive(root, list, 20)
    expect(await expireArchive({ ...options, keepDays: undefined }, over + 1000 * DAY_MS)).toMatchObject({ rows: 0 })
    expect(await expireArchive(options, over - 1)).toEqual({ emptied: 0, rows: 0, removed: 0 })
    expect(await counts()).toEqual(['[50,50]'])
  })

  it('first takes the rows, later the files and folders, and never a newer day', async () => {
    await writeArchive(root, list, 20)
    expect(await expireArchive(options, over)).toEqual({ emptied: 6, rows: 100, removed: 0 })
    expect(await counts()).toEqual(['[0,0]'])
    for (const metadata of (await footers(root)).values()) expect(metadata['headwater.rows']).toBe('0')
    // Not before the grace is over; then all.
    expect(await expireArchive(options, Date.now())).toEqual({ emptied: 0, rows: 0, removed: 0 })
    expect(await expireArchive(options, Date.now() + HOUR_MS + 1)).toEqual({ emptied: 0, rows: 0, removed: 6 })
    expect(await readdir(join(root, 'archive', 'event_log'))).toEqual([])
    expect(await counts()).toEqual(['[0,0]'])
  })

  it.each([
    ['emptied', 0],
    ['removed', 1],
  ])('the sink goes on behind the newest file when that is %s', async (_, rounds) => {
    await writeArchive(root, list, 20)
    await expireArchive(options, over)
    for (let n = 0; n < rounds; n++) await expireArchive(options, Date.now() + HOUR_MS + 1)

    const entries = entriesOf([...list, testEvent(50, 5), testEvent(51, 5)]).events.map(entry =>
      entry.offset < 50 ? entry : { ...entry, arrivedAt: over },
    )
    const sink = await testSink(root, 'event_log', 20)
    expect(await sink.assigned(assigned)).toBe(50)
    // What the log repeats is known, too.
    await sink.take({ partition: 0, from: 0, to: 52, entries })
    await sink.revoked(0)
    expect(await ask(root, 'SELECT event_id FROM event_log ORDER BY 1')).toEqual(['["e-50"]', '["e-51"]'])
    expect(await expireArchive(options, over)).toMatchObject({ emptied: 0 })
  })

  it('empties a file that comes late to a day that is over', async () => {
    await writeArchive(root, list.slice(0, 20), 20)
    await expireArchive(options, over)
    await writeArchive(root, list, 20)
    expect(await counts()).toEqual(['[30,30]'])
    expect(await expireArchive(options, over)).toMatchObject({ rows: 60 })
    expect(await counts()).toEqual(['[0,0]'])
  })

  it('leaves files alone that are none of ours', async () => {
    await writeArchive(root, list, 20)
    const [day = ''] = await readdir(join(root, 'archive', 'event_log'))
    const own = join(root, 'archive', 'event_log', day, 'notes.txt')
    await writeFile(own, 'mine')
    await expireArchive(options, over)
    await expireArchive(options, Date.now() + HOUR_MS + 1)
    expect(await readdir(join(root, 'archive', 'event_log', day))).toEqual(['notes.txt'])
  })
})

describe('expireDeadLetters', () => {
  it('removes files of old hours and nothing else', async () => {
    const names = ['2025-06-18T03.ndjson', '2025-06-18T04+2.ndjson', '2025-06-18T05.ndjson', 'notes.txt']
    for (const name of names) await writeFile(join(root, name), '{}\n')
    expect(await expireDeadLetters(root, 30, Date.UTC(2025, 6, 18, 5, 30))).toEqual(names.slice(0, 2))
    expect((await readdir(root)).sort()).toEqual(names.slice(2))
    expect(await expireDeadLetters(join(root, 'missing'), 30)).toEqual([])
  })
})
