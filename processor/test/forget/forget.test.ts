import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EVENT_COLUMNS, type Event } from '@headwater/core'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { archiveInPlace } from '../../src/archive-copy.ts'
import { type ArchiveReader, openArchive } from '../../src/archive-query.ts'
import { type ForgetOptions, forget } from '../../src/forget/forget.ts'
import { localFileStore } from '../../src/stores/local-file-store.ts'
import { damageLastPage } from '../archive/damage-last-page.ts'
import { ask, entriesOf, footers, testEvent, testSink, visitorId, writeArchive } from './forget-archive.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'headwater-forget-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const options = (subject: ForgetOptions['subject']): ForgetOptions => ({
  subject,
  files: localFileStore(join(root, 'archive')),
  copy: archiveInPlace(join(root, 'archive')),
  tempDir: join(root, 'tmp'),
  settle: async () => true,
})
const events = (count: number, visitors: number): Event[] =>
  Array.from({ length: count }, (_, n) => testEvent(n, visitors))
/** All columns of the rows that are not of visitor 3, in the files' order. */
const others = async () => [
  ...(await ask(root, `SELECT * FROM event_log WHERE visitor_id <> '${visitorId(3)}' ORDER BY source_offset`)),
  ...(await ask(root, 'SELECT * FROM scenario_log WHERE source_offset % 10 <> 3 ORDER BY source_offset')),
]

describe('forget', () => {
  it('removes all rows of a visitor from both tables and no other, also outcomes that do not name him', async () => {
    await writeArchive(root, events(400, 10), 70)
    const before = await others()
    const facts = await footers(root)
    const done = await forget(options({ visitor: visitorId(3).toUpperCase() }))
    expect(done.tables).toEqual([
      { table: 'scenario_log', files: 6, concerned: 6, rewritten: 6, found: 40, removed: 40, left: 0, since: 0 },
      { table: 'event_log', files: 6, concerned: 6, rewritten: 6, found: 40, removed: 40, left: 0, since: 0 },
    ])
    expect(await others()).toEqual(before)
    expect(await ask(root, 'SELECT (SELECT count(*) FROM event_log), (SELECT count(*) FROM scenario_log)')).toEqual([
      '[360,360]',
    ])
    // The footers say the same, but for the rows.
    const after = await footers(root)
    expect([...after.keys()]).toEqual([...facts.keys()])
    for (const [path, metadata] of after) {
      const { 'headwater.forgotten': forgotten, 'headwater.rows': rows, ...rest } = metadata
      const { 'headwater.rows': rowsBefore, ...restBefore } = facts.get(path) ?? {}
      expect(rest).toEqual(restBefore)
      expect(Number(rows) + Number(forgotten)).toBe(Number(rowsBefore))
    }
    expect(await readdir(join(root, 'archive', '_tmp', 'event_log'))).toEqual([])
  })

  it('tells the members of a visitor, and finds a member in memberId, uid and what lost against another', async () => {
    const list = events(30, 10)
    list[1] = testEvent(1, 10, { memberId: "o'neil", params: ['uid', "o'neil"] })
    list[2] = testEvent(2, 10, { memberId: 'somebody', params: ['memberId', 'somebody', 'uid', "o'neil"] })
    list[4] = testEvent(4, 10, { memberId: "o'neil 2", params: ['memberId', "o'neil 2"] })
    await writeArchive(root, list, 100)
    expect((await forget(options({ visitor: visitorId(2) }))).otherIds).toEqual(['member 2', 'somebody'])
    const done = await forget(options({ member: "o'neil" }))
    expect(done.tables.map(({ removed, left }) => [removed, left])).toEqual([
      [1, 0],
      [1, 0],
    ])
    expect(done.otherIds).toEqual([visitorId(1)])
    expect(await ask(root, "SELECT event_id FROM event_log WHERE member_id LIKE 'o%'")).toEqual(['["e-4"]'])
  })

  it('finds the uid of a member whose memberId says something else', async () => {
    const list = [testEvent(0, 1, { memberId: 'a', params: ['memberId', 'a', 'uid', 'b'] }), testEvent(1, 1)]
    await writeArchive(root, list, 100)
    const done = await forget(options({ member: 'b' }))
    expect(done.tables.map(({ removed }) => removed)).toEqual([1, 1])
  })

  it('changes nothing in a dry run, and nothing for a stranger', async () => {
    await writeArchive(root, events(100, 10), 30)
    const before = await footers(root)
    const dry = await forget({ ...options({ visitor: visitorId(3) }), dryRun: true })
    expect(dry.tables.map(({ found, removed }) => [found, removed])).toEqual([
      [10, 0],
      [10, 0],
    ])
    const stranger = await forget(options({ visitor: 'ffffffffffffffff' }))
    expect(stranger.tables.map(({ concerned, removed }) => [concerned, removed])).toEqual([
      [0, 0],
      [0, 0],
    ])
    expect(await footers(root)).toEqual(before)
    await expect(forget(options({ visitor: 'me' }))).rejects.toThrow(/16 hex digits.*Found: me/)
  })

  it('keeps the events while some of their outcomes may still come, which are known by them alone', async () => {
    await writeArchive(root, events(100, 10), 30)
    const unsettled = await forget({ ...options({ visitor: visitorId(3) }), settle: async () => false })
    expect(unsettled).toMatchObject({ eventsKept: true })
    expect(unsettled.tables.map(({ removed, left }) => [removed, left])).toEqual([
      [10, 0],
      [0, 10],
    ])
    const settled = await forget(options({ visitor: visitorId(3) }))
    expect(settled).toMatchObject({ eventsKept: false })
    expect(settled.tables.map(({ removed, left }) => [removed, left])).toEqual([
      [0, 0],
      [10, 0],
    ])
  })

  it('leaves a file alone of which it cannot read the rows that stay', async () => {
    // Long texts that compress badly: several pages a column, the last of which is met behind the first rows.
    const list = events(10_000, 10).map(event => ({ ...event, userAgent: randomBytes(500).toString('base64') }))
    await writeArchive(root, list, 20_000)
    const [path = ''] = [...(await footers(root)).keys()]
    const file = join(root, 'archive', path)
    await damageLastPage(file, 'user_agent')
    const before = await readFile(file)
    await expect(forget(options({ visitor: visitorId(3) }))).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' })
    expect(before.equals(await readFile(file))).toBe(true)
  })

  it('leaves a file without rows that readers read and the sink goes on from', async () => {
    const list = events(60, 1)
    await writeArchive(root, list, 100)
    await forget(options({ visitor: visitorId(0) }))
    expect(await ask(root, 'SELECT count(*) FROM event_log JOIN scenario_log USING (event_id)')).toEqual(['[0]'])

    // Started anew without its commit, it reads nothing again; what comes then stands in the next file.
    const more = entriesOf([...list, testEvent(60, 2), testEvent(61, 2)]).events
    const sink = await testSink(root, 'event_log', 100)
    const from = await sink.assigned({ partition: 0, committed: undefined, oldest: 0, end: more.length })
    expect(from).toBe(60)
    // … and what is read again all the same is known by its order key.
    await sink.take({ partition: 0, from: 0, to: more.length, entries: more })
    await sink.revoked(0)
    expect(await ask(root, 'SELECT event_id FROM event_log ORDER BY 1')).toEqual(['["e-60"]', '["e-61"]'])
  })

  it('meets a sink that publishes the same range: the rewritten file counts as the one that won', async () => {
    const list = events(20, 2)
    await writeArchive(root, list, 100)
    await forget(options({ visitor: visitorId(1) }))
    const { events: entries } = entriesOf(list)
    const sink = await testSink(root, 'event_log', 100)
    await sink.assigned({ partition: 0, committed: 0, oldest: 0, end: 20 })
    expect(await sink.take({ partition: 0, from: 0, to: 20, entries })).toBe(20)
    await sink.revoked(0)
    expect(await ask(root, 'SELECT count(*) FROM event_log')).toEqual(['[10]'])
  })

  it('keeps every other text as it is', { timeout: 120_000 }, async () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, text, text), { minLength: 1, maxLength: 40 }), async texts => {
        const dir = await mkdtemp(join(root, 'texts-'))
        const list = texts.map(([name, title, agent], n) =>
          testEvent(n, 2, { userAgent: agent, params: ['e_n', name, 'action_name', title, `p${name}`, title] }),
        )
        await writeArchive(dir, list, 15)
        const sql = `SELECT * FROM event_log WHERE visitor_id = '${visitorId(0)}' ORDER BY source_offset`
        const before = await ask(dir, sql)
        const archiveDir = join(dir, 'archive')
        await forget({
          ...options({ visitor: visitorId(1) }),
          files: localFileStore(archiveDir),
          copy: archiveInPlace(archiveDir),
        })
        expect(await ask(dir, sql)).toEqual(before)
      }),
      { numRuns: 5 },
    )
  })

  it('two at once do both', async () => {
    await writeArchive(root, events(300, 10), 60)
    const before = await others()
    await Promise.all([forget(options({ visitor: visitorId(3) })), forget(options({ visitor: visitorId(3) }))])
    expect(await others()).toEqual(before)
    await Promise.all([forget(options({ visitor: visitorId(1) })), forget(options({ visitor: visitorId(2) }))])
    expect(
      await ask(root, 'SELECT DISTINCT visitor_id FROM event_log WHERE visitor_id IS NOT NULL ORDER BY 1 LIMIT 2'),
    ).toEqual([`["${visitorId(0)}"]`, `["${visitorId(4)}"]`])
  })

  it('readers see the other rows once each, all the time', async () => {
    await writeArchive(root, events(600, 10), 60)
    const gone = [3, 5, 8].map(visitorId)
    const isOther = `visitor_id NOT IN (${gone.map(id => `'${id}'`)})`
    const sql = `SELECT count(*) FILTER (WHERE ${isOther}), count(DISTINCT event_id) FILTER (WHERE ${isOther}),
      count(*) FILTER (WHERE NOT ${isOther}) FROM event_log`
    // One reader keeps its connection, as the console does; the other opens a new one each time.
    const kept = await openArchive({ archiveDir: join(root, 'archive') })
    const seen: number[][] = []
    let done = false
    const poll = async (read: () => Promise<string[]>): Promise<void> => {
      while (!done) seen.push(JSON.parse((await read())[0] ?? '') as number[])
    }
    const polling = Promise.all([poll(() => rowsOf(kept, sql)), poll(() => ask(root, sql))])
    polling.catch(() => {})
    try {
      for (const visitor of gone) await forget(options({ visitor }))
    } finally {
      done = true
      await polling
      kept.close()
    }
    expect(seen.length).toBeGreaterThan(3)
    for (const [rows, ids, left] of seen) {
      expect([rows, ids]).toEqual([420, 420])
      expect((left as number) % 60).toBe(0) // all files of a visitor changed together here
    }
    expect(await ask(root, sql)).toEqual(['[420,420,0]'])
  }, 120_000)

  it('a reader that opened the footer before and the pages after gets an error, not wrong rows', async () => {
    // DuckDB opens each file twice. Ours announce themselves (archive-lock.ts); this is what others would see.
    await writeArchive(root, events(200, 4), 200)
    const [path = ''] = [...(await footers(root)).keys()]
    const file = join(root, 'archive', path)
    const before = await readFile(file)
    await forget(options({ visitor: visitorId(3) }))
    const after = await readFile(file)
    const footerBytes = before.readUInt32LE(before.length - 8) + 8
    const mixed = Buffer.alloc(before.length)
    after.copy(mixed, 0, 0, before.length - footerBytes)
    before.copy(mixed, before.length - footerBytes, before.length - footerBytes)
    await writeFile(file, mixed)
    for (const { name } of EVENT_COLUMNS)
      await expect(ask(root, `SELECT count(DISTINCT "${name}") FROM event_log`), name).rejects.toThrow('QUERY_FAILED')
  })
})

async function rowsOf(archive: ArchiveReader, sql: string): Promise<string[]> {
  const { rows } = await archive.query(sql)
  const found: string[] = []
  for await (const chunk of rows) for (const row of chunk) found.push(JSON.stringify(row))
  return found
}
