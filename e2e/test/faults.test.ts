import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { filterResults } from '../src/filter-results.ts'
import { type HeadwaterProcess, MAIN, runHeadwater, type Settings, startHeadwater } from '../src/headwater-process.ts'
import { until } from '../src/until.ts'

let dir: string
let data: string
let server: HeadwaterProcess | undefined
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'headwater-faults-'))
  data = join(dir, 'data')
})
afterEach(async () => {
  await server?.kill()
  server = undefined
  await rm(dir, { recursive: true, force: true })
})

/** `headwater start` that must end by itself, with exit status 1, and what it says on standard error. */
async function refusedStart(settings: Settings, dataDir = data): Promise<string> {
  const ended = await runHeadwater(dataDir, settings, ['start']).catch(error => error)
  expect(ended).toMatchObject({ code: 1, stdout: '' })
  return ended.stderr
}

describe('headwater start', () => {
  it('names all faults of its configuration at once, and ends with 1', async () => {
    const said = await refusedStart({
      HEADWATER_GATEWAY_PORT: 'eighty',
      HEADWATER_ARCHIVE_CODEC: 'gzip',
      HEADWATER_GATEWAY_PROT: '1',
    })
    expect(said.trim().split('\n').sort()).toEqual([
      'CONFIG_INVALID: archive.codec must be one of zstd, snappy. Found: "gzip". (from HEADWATER_ARCHIVE_CODEC)',
      'CONFIG_INVALID: environment variable HEADWATER_GATEWAY_PROT is not known. Did you mean HEADWATER_GATEWAY_PORT?',
      expect.stringMatching(/^CONFIG_INVALID: gateway\.port must be an integer .* Found: "eighty"/),
    ])
  })

  it.each(['GATEWAY', 'METRICS'])('says that the port of HEADWATER_%s_PORT is taken, and ends', async name => {
    const other: Server = createServer().listen(0, '0.0.0.0')
    await new Promise(resolve => other.once('listening', resolve))
    const { port } = other.address() as AddressInfo
    try {
      const said = await refusedStart({ [`HEADWATER_${name}_PORT`]: String(port), HEADWATER_LOG_LEVEL: 'warn' })
      expect(said).toMatch(/^LISTEN_FAILED: /m) // on Node 24 a warning about uWebSockets.js stands before it
      expect(said).toContain(`:${port}`)
      expect(said).toContain('--set gateway.port=')
    } finally {
      other.close()
    }
    // The folder is free again.
    server = await startHeadwater(data, { HEADWATER_LOG_LEVEL: 'warn' })
  })

  it('is refused a second time in one data folder, and the first one goes on', async () => {
    server = await startHeadwater(data, { HEADWATER_LOG_LEVEL: 'warn' })
    expect(await refusedStart({})).toMatch(
      new RegExp(`^DATA_DIR_IN_USE: .*process ${server.pid} works in .*HEADWATER_DATA_DIR`),
    )
    expect((await fetch(`http://127.0.0.1:${server.ports.gateway}/5?_id=0123456789abcdef`)).status).toBe(204)
  })

  it('says that the data folder cannot be used, and why', async () => {
    await writeFile(join(dir, 'file'), '')
    expect(await refusedStart({}, join(dir, 'file'))).toMatch(/^DATA_DIR_UNUSABLE: .*ENOTDIR.*--data-dir/)
  })

  it('says that it may not write into the data folder', async context => {
    await chmod(dir, 0o755)
    // Root may write everywhere: then somebody else tries.
    const uid = process.getuid?.() === 0 ? 65_534 : undefined
    if (uid === undefined) await chmod(dir, 0o555)
    else if (!(await mayRead(MAIN, uid))) context.skip(`user ${uid} may not read ${MAIN}`)
    const said = await new Promise<string>((resolve, reject) => {
      execFile(
        process.execPath,
        [MAIN, 'start', '--data-dir', data],
        { env: { PATH: process.env.PATH }, cwd: '/', ...(uid !== undefined && { uid, gid: uid }) },
        (error, _, stderr) => (error?.code === 1 ? resolve(stderr) : reject(error ?? new Error('it started'))),
      )
    })
    await chmod(dir, 0o755)
    expect(said).toMatch(/^DATA_DIR_UNUSABLE: .*EACCES.*--data-dir/)
  })
})

function mayRead(path: string, uid: number): Promise<boolean> {
  return new Promise(resolve => {
    execFile(process.execPath, ['-e', `fs.accessSync(${JSON.stringify(path)})`], { uid, cwd: '/' }, error =>
      resolve(error === null),
    )
  })
}

describe('a running server', () => {
  let scenarios: string
  let members: string
  let settings: Settings
  beforeEach(async () => {
    scenarios = join(dir, 'scenarios.json')
    members = join(dir, 'members.csv')
    settings = {
      HEADWATER_SCENARIOS_FILE: scenarios,
      HEADWATER_MEMBERS_FILE: members,
      HEADWATER_LOG_LEVEL: 'warn',
      HEADWATER_STATS_APPLY_EVERY_MS: '100',
    }
    await writeFile(members, 'member_id,age\n1,30\n2,10\n')
    await writeFile(scenarios, scenarioFile('20'))
    server = await startHeadwater(data, settings)
  })

  const scenarioFile = (age: string) =>
    JSON.stringify(
      [
        {
          scenario_id: 5,
          title: 'grown up',
          manager: 'test',
          log_format: {},
          filters: [{ left: 'age', operator: '>', right: age }],
          logical_operator: 'AND',
        },
      ],
      null,
      2,
    )
  const gateway = () => `http://127.0.0.1:${server?.ports.gateway}`
  interface Stats {
    rows: {
      scenario_id: number
      judging_version: number
      total_count: number
      success_count: number
      present: boolean
    }[]
    faults: { where: string; message: string }[]
  }
  const stats = async (): Promise<Stats> =>
    (await fetch(`http://127.0.0.1:${server?.ports.metrics}/stats`)).json() as Promise<Stats>
  let sent = 0
  beforeEach(() => {
    sent = 0
  })
  /** Sends one event of a member and resolves with the counts of scenario 5's version in force. */
  async function judged(memberId: string): Promise<[total: number, success: number]> {
    expect((await fetch(`${gateway()}/5?_id=0123456789abcdef&memberId=${memberId}`)).status).toBe(204)
    sent++
    return until('the event to be counted', async () => {
      const { rows } = await stats()
      if (rows.reduce((sum, row) => sum + row.total_count, 0) < sent) return undefined
      const row = rows.find(({ present }) => present)
      return row && [row.total_count, row.success_count]
    })
  }

  it('keeps the last good scenario when its file becomes invalid, and headwater stats shows where the fault is', async () => {
    expect(await judged('1')).toEqual([1, 1])
    await writeFile(scenarios, scenarioFile('20').replace('"operator": ">"', '"operator": "=>"'))
    const { faults } = await until('the fault', async () => ((await stats()).faults.length > 0 ? stats() : undefined))
    expect(faults[0]?.where).toMatch(/scenarios\.json:\d+/)
    expect(faults[0]?.message).toContain('"=>"')
    expect(await judged('1')).toEqual([2, 2])
    const shown = await runHeadwater(data, settings, ['stats'])
    expect(shown).toMatch(/^! .*scenarios\.json:\d+.*"=>".*\(the last good version, if there is one, is in force\)$/m)

    // Half a file, as an editor leaves it for a moment.
    await writeFile(scenarios, scenarioFile('20').slice(0, 100))
    await until('the other fault', async () =>
      (await stats()).faults.some(({ message }) => !message.includes('"=>"')) ? true : undefined,
    )
    expect(await judged('1')).toEqual([3, 3])

    await writeFile(scenarios, scenarioFile('40'))
    await until('the repaired file', async () => ((await stats()).faults.length === 0 ? true : undefined))
    // The filter takes it over within a second.
    const [total, success] = await until('the new version to judge', async () => {
      const counts = await judged('1')
      return counts[0] > 0 ? counts : undefined
    })
    expect([total, success]).toEqual([1, 0])
    expect((await stats()).rows.find(({ present }) => present)?.judging_version).toBe(2)
  })

  it('shows the fault of a stopped server, too', async () => {
    expect(await server?.stop()).toBe(0)
    await writeFile(scenarios, '[')
    expect(await runHeadwater(data, settings, ['stats'])).toMatch(/^! .*scenarios\.json/m)
  })

  it('judges by a member file that was replaced, and by the old one while the new one is invalid', async () => {
    expect(await judged('2')).toEqual([1, 0])
    await writeFile(`${members}.new`, 'member_id,age\n1,30\n2,50\n')
    await rename(`${members}.new`, members)
    let total = 1
    await until('the new members to be in force', async () => {
      const [count, success] = await judged('2')
      total = count
      return success > 0 ? true : undefined
    })
    const [, before] = (await judged('1')) as [number, number]
    await writeFile(members, 'member_id,age\n1,"30\n')
    expect(await judged('2')).toEqual([total + 2, before + 1])
    expect((await filterResults(server?.ports.metrics ?? 0)).judged).toBe(sent)
  })
})
