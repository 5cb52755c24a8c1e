import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serviceOrSkip } from '@headwater/testkit'
import { describe, expect, it } from 'vitest'
import { importEmbedded } from '../../src/mariadb/import-embedded.ts'
import { jsonScenarioStore } from '../../src/stores/json-scenario-store.ts'
import { mariadbMemberStore } from '../../src/stores/mariadb-member-store.ts'
import { mariadbScenarioStore } from '../../src/stores/mariadb-scenario-store.ts'
import { newScenario } from '../contracts/scenario-store.ts'
import { MariadbFixture, mariadbIsThere, silent } from './mariadb-fixture.ts'

describe.skipIf(!serviceOrSkip('mariadbd', mariadbIsThere))('importEmbedded', { timeout: 90_000 }, () => {
  const fixture = new MariadbFixture()

  async function embedded() {
    const folder = await mkdtemp(join(tmpdir(), 'hw-import-'))
    const scenarios = { file: join(folder, 'scenarios.json'), stateFile: join(folder, 'scenario-versions.json') }
    const members = { file: join(folder, 'members.csv') }
    const store = jsonScenarioStore({ ...scenarios, log: silent })
    const first = await store.save(newScenario(5))
    await store.save({ ...first, filters: [] })
    await store.save(newScenario(6, { enabled: false }))
    await store.save(newScenario(7))
    await store.remove(7)
    await writeFile(members.file, 'member_id,age,city,password\n123456,34,"수원, 경기",x\n007,20,,y\n')
    return { scenarios, members, store }
  }

  it('brings scenarios with their versions, deleted ids and members, once', async () => {
    const { db } = await fixture.migrated()
    const { scenarios, members, store } = await embedded()
    const options = { db, scenarios, members, log: silent }
    const imported = {
      scenarios: { added: 2, changed: 0, unchanged: 0, removed: 1 },
      conflicts: [],
      members: { added: 2, changed: 0, unchanged: 0 },
      addedColumns: ['city'],
      skippedColumns: ['password'],
    }
    expect(await importEmbedded({ ...options, dryRun: true })).toEqual(imported)
    const into = mariadbScenarioStore({ db, log: silent })
    expect([await into.list(), (await mariadbMemberStore({ db }).get(['007'])).size]).toEqual([[], 0])

    expect(await importEmbedded(options)).toEqual(imported)
    expect(await into.list()).toEqual(await store.list())
    expect((await into.list())[0]).toMatchObject({ scenario_id: 5, version: 2, judging_version: 2 })
    expect(await into.removedIds()).toEqual(new Set([7]))
    const found = await mariadbMemberStore({ db }).get(['123456', '007', '7'])
    expect([...found].map(([id, member]) => [id, { ...member }])).toEqual([
      ['123456', { age: '34', city: '수원, 경기' }],
      ['007', { age: '20' }],
    ])

    expect(await importEmbedded(options)).toMatchObject({
      scenarios: { added: 0, changed: 0, unchanged: 2, removed: 0 },
      conflicts: [],
      members: { added: 0, changed: 0, unchanged: 2 },
      addedColumns: [],
    })
  })

  it('brings what has gone on in the files, and leaves what has gone on in the database', async () => {
    const { db } = await fixture.migrated()
    const { scenarios, members, store } = await embedded()
    const options = { db, scenarios, members, log: silent }
    await importEmbedded(options)
    const into = mariadbScenarioStore({ db, log: silent })
    const [five, six] = await store.list()
    await store.save({ ...five!, title: 'gone on in the file' })
    await into.save({ ...six!, title: 'gone on in the database' })
    await writeFile(members.file, 'member_id,age\n123456,35\n8,1\n')
    const again = await importEmbedded(options)
    expect(again).toMatchObject({
      scenarios: { added: 0, changed: 1, unchanged: 0 },
      conflicts: [expect.stringContaining('Scenario 6 stays as it is in the database: version 2 there, 1 in the file')],
      members: { added: 1, changed: 1, unchanged: 0 },
    })
    expect((await into.list()).map(({ title, version }) => [title, version])).toEqual([
      ['gone on in the file', 3],
      ['gone on in the database', 2],
    ])
    expect({ ...(await mariadbMemberStore({ db }).get(['123456'])).get('123456') }).toMatchObject({ age: '35' })
  })

  it('writes nothing while a file has a fault', async () => {
    const { db } = await fixture.migrated()
    const { scenarios, members } = await embedded()
    const text = await readFile(scenarios.file, 'utf8')
    await writeFile(scenarios.file, text.replace('"AND"', '"XOR"'))
    await expect(importEmbedded({ db, scenarios, members, log: silent })).rejects.toThrow(/SCENARIO_INVALID.*XOR/s)
    await writeFile(scenarios.file, text)
    await writeFile(members.file, 'member_id,age\n1,2,3\n')
    await expect(importEmbedded({ db, scenarios, members, log: silent })).rejects.toThrow(/MEMBERS_INVALID/)
    expect(await mariadbScenarioStore({ db, log: silent }).list()).toEqual([])
  })

  it('brings thousands of members, and asks for a larger column when a value does not fit', async () => {
    const { db } = await fixture.migrated()
    const { members } = await embedded()
    const lines = Array.from({ length: 3_000 }, (_, i) => `m${i},${i % 90}`)
    await writeFile(members.file, `member_id,age\n${lines.join('\n')}\n`)
    const all = await importEmbedded({ db, members, log: silent })
    expect(all.members).toEqual({ added: 3_000, changed: 0, unchanged: 0 })
    await writeFile(members.file, `member_id,age\n1,${'9'.repeat(300)}\n`)
    await expect(importEmbedded({ db, members, log: silent })).rejects.toThrow(/give the column more room.*age/)
  })
})
