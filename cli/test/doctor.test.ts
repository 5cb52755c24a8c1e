import { createHash } from 'node:crypto'
import { cpSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Diagnosis, diagnose } from '../src/commands/doctor.ts'
import type { Embedded } from '../src/embedded.ts'
import { sendEvents, type TestFolder, testFolder, until } from './running-server.ts'

const EVENTS = 60

/** The folder after a good run, which every test of a fault copies. */
let good: TestFolder
let running: Embedded
let whileRunning: Diagnosis[]

const archived = (folder: string, table: string) =>
  readdirSync(join(folder, 'archive', table), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.parquet'))
    .map(name => join(folder, 'archive', table, name))
    .sort((a, b) => (a.slice(-40) < b.slice(-40) ? -1 : 1))

beforeAll(async () => {
  good = testFolder()
  running = await good.start()
  const tables = ['event_log', 'scenario_log']
  const files = (table: string): number => {
    try {
      return archived(good.dir, table).length
    } catch {
      return 0
    }
  }
  for (const part of ['a', 'b', 'c']) {
    const before = tables.map(files)
    await sendEvents(running, part, EVENTS / 3)
    await until(() => tables.every((table, i) => files(table) > (before[i] as number)))
  }
  // The committed position of the log follows a moment after what it stands for.
  do whileRunning = await diagnose(() => good.load(), true)
  while (!of(whileRunning, 'progress')[0]?.message.startsWith('0 B'))
  await running.stop()
  // A committed position is a hint: its last write may end a little later.
  await until(() => !readdirSync(join(good.dir, 'state', 'positions')).some(name => name.endsWith('.tmp')))
}, 60_000)
afterAll(() => good.remove())

const failures = (found: readonly Diagnosis[]) => found.filter(({ verdict }) => verdict === 'fail')
const of = (found: readonly Diagnosis[], check: string) => found.filter(finding => finding.check === check)

describe('a good folder', () => {
  it('is found good while the server runs', () => {
    expect(failures(whileRunning)).toEqual([])
    expect(of(whileRunning, 'process')[0]?.message).toBe(`Process ${process.pid} works in the folder.`)
    expect(of(whileRunning, 'ports').map(({ message }) => message)).toEqual([
      `gateway.port: the running process takes connections on ${running.ports.gateway}.`,
      `metrics.port: the running process takes connections on ${running.ports.metrics}.`,
    ])
    expect(of(whileRunning, 'progress')[0]?.message).toBe('0 B of access log are not judged yet.')
  })

  it('is found good when the server does not run, to the last row', async () => {
    const found = await diagnose(() => good.load(), true)
    expect(failures(found)).toEqual([])
    expect(of(found, 'process')[0]?.message).toBe('No process works in the folder.')
    expect(of(found, 'progress').map(({ message }) => message)).toEqual([
      'The next start reads 0 B of access log.',
      expect.stringMatching(
        /^Records it finds unread: stats 0, archive-event-log 0, archive-scenario-log 0, dead-letter 0\.$/,
      ),
    ])
    expect(of(found, 'archive').at(-1)?.message).toBe(`${EVENTS} outcomes counted, ${EVENTS} of them archived.`)
  })

  it('is not changed by being looked at', async () => {
    const snapshot = () =>
      Object.fromEntries(
        readdirSync(good.dir, { recursive: true, encoding: 'utf8', withFileTypes: true })
          // Whoever queries the archive says so there, as long as the query lasts.
          .filter(entry => entry.isFile() && !entry.parentPath.endsWith('_readers'))
          .map(entry => join(entry.parentPath, entry.name))
          .map(path => [path, createHash('sha256').update(readFileSync(path)).digest('hex')]),
      )
    const before = snapshot()
    await diagnose(() => good.load(), true)
    expect(snapshot()).toEqual(before)
  })

  it('need not be there yet', async () => {
    const found = await diagnose(() => good.load({ HEADWATER_DATA_DIR: join(good.dir, 'not', 'yet') }), true)
    expect(failures(found)).toEqual([])
    expect(of(found, 'data folder')[0]?.message).toMatch(/does not exist yet; it can be made\.$/)
  })
})

describe('a fault is found, with its place and what to do:', () => {
  /** What is found in a copy of the good folder after `harm`. */
  async function after(harm: (dir: string) => void | Promise<void>, settings: Record<string, string> = {}) {
    const dir = `${good.dir}-broken`
    cpSync(good.dir, dir, { recursive: true, preserveTimestamps: true })
    try {
      await harm(dir)
      const found = failures(await diagnose(() => good.load({ HEADWATER_DATA_DIR: dir, ...settings }), true))
      for (const finding of found) expect(finding.remedy).toMatch(/\.$/)
      return found.map(({ check, message }) => `${check}: ${message.replaceAll(dir, 'DATA')}`)
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  }

  it('settings', async () => {
    const found = await diagnose(() => good.load({ HEADWATER_GATEWAY_PORT: '99999' }), false)
    expect(failures(found)).toHaveLength(1)
    expect(failures(found)[0]).toMatchObject({
      check: 'configuration',
      message: expect.stringMatching(/^gateway\.port must be an integer .* Found: 99999/),
    })
  })

  it('a port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => other.once('listening', resolve))
    const { port } = other.address() as { port: number }
    const found = await after(() => {}, { HEADWATER_METRICS_PORT: String(port) })
    other.close()
    expect(found).toEqual([expect.stringMatching(/^ports: metrics\.port must be free to open\. Found: .*EADDRINUSE/)])
  })

  it('a scenario and a member file, by line', async () => {
    const scenarios = `${good.scenarios}.bad`
    const members = `${good.members}.bad`
    writeFileSync(
      scenarios,
      '[{"scenario_id": 5, "title": "x", "manager": "m", "log_format": {}, "filters": [\n{"left": "age", "operator": "~~", "right": "1"}], "logical_operator": "AND"}]',
    )
    writeFileSync(members, 'memberId,age\n1,30\n1,31,32\n')
    const found = await after(() => {}, { HEADWATER_SCENARIOS_FILE: scenarios, HEADWATER_MEMBERS_FILE: members })
    expect(found).toContainEqual(expect.stringMatching(/^scenarios: .*scenarios\.json\.bad.*2.*~~/s))
    expect(found).toContainEqual(expect.stringMatching(/^members: MEMBERS_INVALID: .*members\.csv\.bad.*3/s))
  })

  it('TLS files that cannot be used', async () => {
    const found = await after(() => {}, {
      HEADWATER_GATEWAY_TLS_CERT: good.members,
      HEADWATER_GATEWAY_TLS_KEY: good.members,
    })
    expect(found).toEqual([expect.stringMatching(/^tls: TLS_UNUSABLE: /)])
  })

  it('counters that are damaged, or gone', async () => {
    expect(await after(dir => writeFileSync(join(dir, 'state', 'stats.json'), '{"format":1,'))).toContainEqual(
      expect.stringMatching(/^state: STATE_DAMAGED: DATA\/state\/stats\.json is damaged/),
    )
    expect(await after(dir => rmSync(join(dir, 'state', 'stats.json')))).toEqual([
      'archive: There are archived outcomes, and no counters.',
    ])
  })

  it('counters below the rows', async () => {
    const found = await after(dir => {
      const path = join(dir, 'state', 'stats.json')
      const stats = JSON.parse(readFileSync(path, 'utf8'))
      stats.partitions['0'].counters.series[0][2] -= 3
      writeFileSync(path, JSON.stringify(stats))
    })
    expect(found).toEqual([
      `archive: Scenario 5 (judging version 1): ${EVENTS - 3} counted, ${EVENTS / 2} successes; archived ${EVENTS}, ${EVENTS / 2} successes.`,
    ])
  })

  it('counters above what there was to count, and successes that no missing row can hold', async () => {
    const changed = (series: (one: number[]) => void) => (dir: string) => {
      const path = join(dir, 'state', 'stats.json')
      const stats = JSON.parse(readFileSync(path, 'utf8'))
      series(stats.partitions['0'].counters.series[0])
      writeFileSync(path, JSON.stringify(stats))
    }
    expect(
      await after(
        changed(one => {
          one[2] = (one[2] as number) + 3
        }),
      ),
    ).toEqual([`archive: Partition 0: ${EVENTS + 3} outcomes counted out of ${EVENTS} records.`])
    expect(
      await after(
        changed(one => {
          one[3] = (one[3] as number) + 3
        }),
      ),
    ).toEqual([
      `archive: Scenario 5 (judging version 1): ${EVENTS} counted, ${EVENTS / 2 + 3} successes; archived ${EVENTS}, ${EVENTS / 2} successes.`,
    ])
  })

  it('a state without segments, which the next start would refuse', async () => {
    const lost = expect.stringMatching(
      new RegExp(`^state: STATE_DAMAGED: .*Found: event_log with ${EVENTS} records, and nothing in state/segments`),
    )
    expect(await after(dir => rmSync(join(dir, 'state', 'segments'), { recursive: true }))).toEqual([lost])
    expect(await after(dir => rmSync(join(dir, 'state'), { recursive: true }))).toContainEqual(lost)
  })

  it('an archive file that is missing between two others: to be looked at', async () => {
    const dir = `${good.dir}-gap`
    cpSync(good.dir, dir, { recursive: true })
    try {
      rmSync(archived(dir, 'event_log')[1] as string)
      const found = await diagnose(() => good.load({ HEADWATER_DATA_DIR: dir }), true)
      expect(of(found, 'archive')).toContainEqual(
        expect.objectContaining({
          verdict: 'warn',
          message: expect.stringMatching(/event_log.*: the records \d+ to \d+ before it are in no file\.$/),
        }),
      )
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })

  it('the last archive file of a table that is missing, or the whole archive: to be looked at', async () => {
    const dir = `${good.dir}-tail`
    const missing = async (verdict = 'warn') => {
      const found = await diagnose(() => good.load({ HEADWATER_DATA_DIR: dir }), true)
      return of(found, 'archive').flatMap(finding => (finding.verdict === verdict ? [finding.message] : []))
    }
    cpSync(good.dir, dir, { recursive: true })
    try {
      rmSync(archived(dir, 'event_log').at(-1) as string)
      expect(await missing()).toEqual([
        expect.stringMatching(
          new RegExp(`^event_log: the records \\d+ to ${EVENTS - 1} were archived, and are in no file`),
        ),
      ])
      rmSync(join(dir, 'archive'), { recursive: true })
      expect(await missing()).toEqual([
        ...['event_log', 'scenario_log'].map(
          table => `${table}: the records 0 to ${EVENTS - 1} were archived, and are in no file.`,
        ),
        `${EVENTS} outcomes counted, 0 of them archived; at most 0 can be on their way.`,
      ])
      expect(await missing('ok')).toEqual([])
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })

  it('versions of scenarios that cannot be read, under the name of their file', async () => {
    const found = await after(dir => writeFileSync(join(dir, 'state', 'scenario-versions.json'), '{}'))
    expect(found).toContainEqual(
      expect.stringMatching(/^scenarios: FORMAT_UNKNOWN: DATA\/state\/scenario-versions\.json must have format 1/),
    )
  })

  it('a file where a folder must be', async () => {
    const found = await diagnose(() => good.load({ HEADWATER_DATA_DIR: good.members }), false)
    expect(of(found, 'data folder')[0]?.remedy).toMatch(/^Move the file away/)
  })

  it('an archive file without its end, with wrong bytes inside, or under a wrong name', async () => {
    expect(
      await after(dir => {
        const [first = ''] = archived(dir, 'event_log')
        writeFileSync(first, readFileSync(first).subarray(0, -20))
      }),
    ).toEqual([expect.stringMatching(/^archive: DATA\/archive\/event_log\/.*ARCHIVE_DAMAGED: .*PAR1/)])
    expect(
      await after(dir => {
        const [, second = ''] = archived(dir, 'event_log')
        const bytes = readFileSync(second)
        bytes.fill(0x55, 4, 400)
        writeFileSync(second, bytes)
      }),
    ).toEqual([expect.stringMatching(/^archive: DATA\/archive\/event_log\/.*QUERY_FAILED/)])
    expect(
      await after(dir => {
        const [first = ''] = archived(dir, 'event_log')
        cpSync(first, first.replace(/\d{16}/, '0000000000000003'))
      }),
    ).toEqual([expect.stringMatching(/Its footer says that it begins at 0\.$/)])
  })

  it('a segment with a wrong byte in its middle', async () => {
    const found = await after(dir => {
      const [name = ''] = readdirSync(join(dir, 'state', 'segments')).filter(file => file.endsWith('.segment'))
      const path = join(dir, 'state', 'segments', name)
      const bytes = readFileSync(path)
      bytes.fill(0x55, 60, 70)
      writeFileSync(path, bytes)
    })
    expect(found).toContainEqual(expect.stringMatching(/^state: STATE_DAMAGED: DATA\/state\/segments\/.* at byte 32/))
  })

  it('a clock that went back', async () => {
    const found = await after(dir => {
      const tomorrow = new Date(Date.now() + 86_400_000)
      utimesSync(join(dir, 'log', 'access.log'), tomorrow, tomorrow)
    })
    expect(found).toEqual([expect.stringMatching(/^clock: The clock went back: .*DATA\/log\/access\.log/)])
  })

  it('a folder that nobody can make files in', async () => {
    const found = await diagnose(() => good.load({ HEADWATER_DATA_DIR: '/proc/headwater' }), false)
    expect(failures(found).map(({ check }) => check)).toContain('data folder')
  })
})
