import { serviceOrSkip } from '@headwater/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { mariadbMemberStore } from '../../src/stores/mariadb-member-store.ts'
import { mariadbScenarioStore } from '../../src/stores/mariadb-scenario-store.ts'
import { newScenario } from '../contracts/scenario-store.ts'
import { MariadbFixture, mariadbIsThere, silent } from './mariadb-fixture.ts'

describe.skipIf(!serviceOrSkip('mariadbd', mariadbIsThere))('stores in MariaDB', { timeout: 90_000 }, () => {
  // A server whose own zone is another one, too.
  const fixture = new MariadbFixture({ args: ['--default-time-zone=+05:00'] })
  const zone = process.env.TZ

  afterEach(() => {
    if (zone === undefined) delete process.env.TZ
    else process.env.TZ = zone
  })

  it('reads columns of every kind as text, times as ISO 8601 UTC whatever the zone of process and server', async () => {
    process.env.TZ = 'Europe/Istanbul'
    expect(new Date(0).getTimezoneOffset()).toBe(-120)
    const { db } = await fixture.migrated()
    await db.run(async session => {
      await session.query(`ALTER TABLE member
        ADD password VARCHAR(100), ADD pwd_hash TEXT, ADD photo BLOB,
        ADD big BIGINT, ADD price DECIMAL(12,2), ADD ratio DOUBLE, ADD adult TINYINT(1), ADD born DATE,
        ADD joined DATETIME(3), ADD seen TIMESTAMP(3) NULL, ADD tags JSON, ADD \`__proto__\` TEXT, ADD \`a\`\`b\` TEXT`)
      await session.query(`INSERT INTO member (member_id, gender, password, pwd_hash, photo, big, price, ratio, adult, born,
          joined, seen, tags, \`__proto__\`, \`a\`\`b\`)
        VALUES ('1', 'MALE', 'horse', 'horse', 'horse', 9007199254740993, 12.50, 0.5, 1, '1990-02-03',
          '2025-06-18 12:50:10.123', '2025-06-18 12:50:10.123', '{"a": 1}', 'p', 'q')`)
    })
    const store = mariadbMemberStore({ db })
    const columns = 'adult age a`b big born gender joined price ratio seen tags __proto__'.split(' ')
    expect([...(await store.columns())].sort()).toEqual(columns.sort())
    const member = (await store.get(['1'])).get('1')
    expect(Object.entries(member ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ['__proto__', 'p'],
      ['a`b', 'q'],
      ['adult', '1'],
      ['big', '9007199254740993'],
      ['born', '1990-02-03'],
      ['gender', 'MALE'],
      ['joined', '2025-06-18T12:50:10.123Z'],
      ['price', '12.50'],
      ['ratio', '0.5'],
      ['seen', '2025-06-18T12:50:10.123Z'],
      ['tags', '{"a": 1}'],
    ])
    await mariadbScenarioStore({ db, log: silent }).save(newScenario(5))
    const [row] = await db.run(session => session.query<{ created_at: Date }[]>('SELECT created_at FROM scenario'))
    expect(Math.abs((row?.created_at.getTime() ?? 0) - Date.now())).toBeLessThan(60_000)
  })

  it('takes the member table of the original, whose ids are numbers', async () => {
    const database = await fixture.server.database()
    const db = fixture.connect(database)
    await db.run(async session => {
      await session.query(`CREATE TABLE member (member_id BIGINT PRIMARY KEY, username VARCHAR(50), password VARCHAR(50),
        age VARCHAR(10), gender ENUM('MALE','FEMALE'))`)
      await session.query("INSERT INTO member VALUES (7, 'kim', 'horse', '34', 'MALE')")
    })
    const store = mariadbMemberStore({ db })
    const found = await store.get(['7', '007', '7.0', '7abc', ' 7'])
    expect([...found]).toEqual([['7', expect.objectContaining({ username: 'kim', age: '34', gender: 'MALE' })]])
    expect(found.get('7')).not.toHaveProperty('password')
  })

  it('gives the same set of columns until they change, and does not stumble over a dropped one', async () => {
    const { db } = await fixture.migrated()
    let now = 0
    const store = mariadbMemberStore({ db, clock: () => now, columnsTtlMs: 1_000 })
    const columns = await store.columns()
    await db.run(session => session.query("INSERT INTO member VALUES ('1', '34', 'MALE')"))
    now = 2_000
    expect(await store.columns()).toBe(columns)
    await db.run(session => session.query('ALTER TABLE member DROP COLUMN gender, ADD COLUMN city TEXT'))
    expect({ ...(await store.get(['1'])).get('1') }).toEqual({ age: '34' })
    expect(await store.columns()).toEqual(new Set(['age', 'city']))
  })

  it('gives all members of one question from one state of the table', async () => {
    const { database, db } = await fixture.migrated()
    const ids = Array.from({ length: 1_100 }, (_, i) => `m${i}`)
    await db.run(session =>
      session.query(`INSERT INTO member VALUES ${ids.map(id => `('${id}', '0', NULL)`).join(',')}`),
    )
    const store = mariadbMemberStore({ db })
    const other = fixture.connect(database)
    let isDone = false
    const writing = (async () => {
      for (let age = 1; !isDone; age++) await other.run(session => session.query(`UPDATE member SET age = '${age}'`))
    })()
    const ages = new Set<string | undefined>()
    for (let round = 0; round < 15; round++) {
      const seen = new Set([...(await store.get(ids)).values()].map(member => member.age))
      expect(seen.size).toBe(1)
      ages.add([...seen][0])
    }
    isDone = true
    await writing
    expect(ages.size).toBeGreaterThan(1)
  })

  it('keeps every version of a scenario, and columns for people', async () => {
    const { db } = await fixture.migrated()
    const store = mariadbScenarioStore({ db, log: silent })
    const first = await store.save(newScenario(5, { title: '9시 이후 구매' }))
    await store.save({ ...first, enabled: false, filters: [] })
    const rows = await db.run(session =>
      session.query(
        'SELECT scenario_id, title, manager, status, logical_operator, version, judging_version FROM scenario',
      ),
    )
    expect(rows).toEqual([
      {
        scenario_id: 5,
        title: '9시 이후 구매',
        manager: 'admin_user',
        status: 'PAUSE',
        logical_operator: 'AND',
        version: 2,
        judging_version: 2,
      },
    ])
    const versions = await db.run(session =>
      session.query('SELECT version, judging_version FROM scenario_version ORDER BY version'),
    )
    expect(versions).toEqual([
      { version: 1, judging_version: 1 },
      { version: 2, judging_version: 2 },
    ])
  })

  it.each([
    [
      'that this version cannot read',
      `JSON_SET(definition, '$.logical_operator', 'XOR')`,
      /logical_operator: expected AND/,
    ],
    ['that was changed by SQL', `JSON_SET(definition, '$.title', 'mine')`, /changed through Headwater.*version 2/],
  ])('leaves the last valid version in force for a definition %s', async (_what, change, fault) => {
    const { db } = await fixture.migrated()
    const store = mariadbScenarioStore({ db, pollMs: 50, log: silent })
    const first = await store.save(newScenario(5))
    const second = await store.save({ ...first, title: 'second' })
    await store.list()
    const stop = new AbortController()
    let changes = 0
    store.watch(() => changes++, stop.signal)
    await expect.poll(() => changes).toBe(1)
    await db.run(session => session.query(`UPDATE scenario SET definition = ${change}`))
    await expect.poll(() => changes).toBe(2)
    stop.abort()
    expect([await store.list(), await store.get(5)]).toEqual([[second], second])
    expect(store.faults()).toEqual([{ where: 'scenario 5', message: expect.stringMatching(fault) }])
    const mended = await store.save({ ...second, title: 'third' })
    expect(mended).toMatchObject({ version: 3, title: 'third' })
    expect([await store.list(), store.faults()]).toEqual([[mended], []])
  })
})
