import { serviceOrSkip } from '@headwater/testkit'
import { describe, expect, it } from 'vitest'
import { checkSchema, migrate } from '../../src/mariadb/migrate.ts'
import { readMigrations } from '../../src/mariadb/migrations.ts'
import { mariadbMemberStore } from '../../src/stores/mariadb-member-store.ts'
import { mariadbScenarioStore } from '../../src/stores/mariadb-scenario-store.ts'
import { newScenario } from '../contracts/scenario-store.ts'
import { MariadbFixture, mariadbIsThere, silent } from './mariadb-fixture.ts'

const fast = { connectTimeoutMs: 3_000, queryTimeoutMs: 3_000 }

describe.skipIf(!serviceOrSkip('mariadbd', mariadbIsThere))('MariaDB in trouble', { timeout: 90_000 }, () => {
  const fixture = new MariadbFixture()

  it('that is killed and starts again: retryable meanwhile, and nothing needs a restart of ours', async () => {
    const { db } = await fixture.migrated()
    const scenarios = mariadbScenarioStore({ db, log: silent })
    const members = mariadbMemberStore({ db })
    const saved = await scenarios.save(newScenario(5))
    expect(await members.columns()).toEqual(new Set(['age', 'gender']))
    await fixture.server.kill()
    const sentence = /STORE_UNAVAILABLE: MariaDB at 127\.0\.0\.1:\d+\/hw_\w+ must answer: check mariadb\.host.* Found: /
    await expect(scenarios.list()).rejects.toThrow(sentence)
    await expect(members.get(['1'])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
    await fixture.server.restart()
    await expect.poll(() => scenarios.list().catch(() => 'away'), { timeout: 30_000 }).toEqual([saved])
    expect((await members.get(['1'])).size).toBe(0)
  })

  it('that is frozen: every call ends in time, and goes on when MariaDB does', async () => {
    const { database } = await fixture.migrated()
    const db = fixture.connect(database, fast)
    const members = mariadbMemberStore({ db })
    await members.get(['1'])
    fixture.server.pause()
    try {
      const before = performance.now()
      await Promise.all(['1', '2', '3'].map(id => expect(members.get([id])).rejects.toMatchObject({ retryable: true })))
      expect(performance.now() - before).toBeLessThan(30_000)
    } finally {
      fixture.server.resume()
    }
    await expect
      .poll(
        () =>
          members.get(['1']).then(
            found => found.size,
            () => 'away',
          ),
        { timeout: 30_000 },
      )
      .toBe(0)
  })

  it('that does not let us in: says so without the password', async () => {
    const { database } = await fixture.migrated()
    const refused = [
      [{ ...database, password: 'wrong-horse' }, /check mariadb\.user and mariadb\.password.*ER_ACCESS_DENIED_ERROR/],
      [{ ...database, database: 'mysql' }, /GRANT this user its rights on the database/],
    ] as const
    for (const [settings, sentence] of refused) {
      const error = await mariadbScenarioStore({ db: fixture.connect(settings), log: silent })
        .list()
        .catch(error => error)
      expect(String(error)).toMatch(sentence)
      expect(JSON.stringify([error, String(error)])).not.toContain('horse')
      expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
    }
  })

  it('that is not migrated: says what to run, and goes on once it was', async () => {
    const db = fixture.connect(await fixture.server.database())
    const scenarios = mariadbScenarioStore({ db, log: silent })
    const members = mariadbMemberStore({ db })
    for (const call of [
      () => scenarios.list(),
      () => members.columns(),
      () => members.get(['1']),
      () => checkSchema(db),
    ]) {
      await expect(call()).rejects.toThrow(/SCHEMA_MISMATCH: .*headwater db migrate/)
      await expect(call()).rejects.toMatchObject({ retryable: true })
    }
    await migrate(db)
    await checkSchema(db)
    expect([await scenarios.list(), (await members.get(['1'])).size]).toEqual([[], 0])
  })
})

describe.skipIf(!serviceOrSkip('mariadbd', mariadbIsThere))('migrate', { timeout: 90_000 }, () => {
  const fixture = new MariadbFixture()
  const names = readMigrations().map(({ name }) => name)

  it('runs each file once, also when two processes begin together', async () => {
    const database = await fixture.server.database()
    const both = [fixture.connect(database), fixture.connect(database)]
    const results = await Promise.all(both.map(db => migrate(db)))
    expect(results.map(({ applied }) => applied.length).sort()).toEqual([0, names.length])
    expect(await migrate(fixture.connect(database))).toEqual({ applied: [], before: names.length })
  })

  it('runs what is new, again from the begin of a file that failed', async () => {
    const db = fixture.connect(await fixture.server.database())
    await migrate(db)
    const next = { number: 9_000, name: '9000-more.sql', checksum: '0'.repeat(64) }
    const create = 'CREATE TABLE IF NOT EXISTS more (id INT)'
    const broken = { ...next, statements: [create, 'ALTER TABLE nowhere ADD x INT'] }
    await expect(migrate(db, [...readMigrations(), broken])).rejects.toThrow(/ER_NO_SUCH_TABLE/)
    const mended = { ...next, statements: [create, 'ALTER TABLE more ADD COLUMN IF NOT EXISTS x INT'] }
    await expect(checkSchema(db, [...readMigrations(), mended])).rejects.toThrow(/9000-more\.sql not applied/)
    expect(await migrate(db, [...readMigrations(), mended])).toEqual({ applied: [next.name], before: names.length })
    const older = { code: 'SCHEMA_MISMATCH', retryable: false }
    await expect(migrate(db)).rejects.toThrow(/must not be newer than this Headwater.* Found: 9000-more\.sql/)
    await expect(migrate(db)).rejects.toMatchObject(older)
    await expect(checkSchema(db)).rejects.toMatchObject(older)
  })

  it('refuses files that were changed after they were run', async () => {
    const db = fixture.connect(await fixture.server.database())
    await migrate(db)
    const [first, ...rest] = readMigrations()
    const changed = [{ ...first!, checksum: 'f'.repeat(64) }, ...rest]
    await expect(migrate(db, changed)).rejects.toThrow(/SCHEMA_MISMATCH: db\/0001-scenario\.sql must be as it was/)
  })
})
