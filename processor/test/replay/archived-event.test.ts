import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ArchiveValue,
  createScenarioSet,
  EVENT_COLUMNS,
  type Event,
  eventRow,
  eventsOf,
  formatQuery,
  getParam,
  judge,
  type Outcome,
  parseScenario,
  type Scenario,
} from '@headwater/core'
import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { archiveReplaySource } from '../../src/replay/archive-replay-source.ts'
import { ARCHIVED_TEXTS, eventOfRow } from '../../src/replay/archived-event.ts'
import { createReplayArchive } from '../../src/replay/replay-archive.ts'
import { localFileStore } from '../../src/stores/local-file-store.ts'
import { damageLastPage } from '../archive/damage-last-page.ts'

const name = fc.oneof(
  fc.constantFrom(
    ...[
      'e_c',
      'e_n',
      'e_v',
      'url',
      'urlref',
      '_idn',
      'res',
      'h',
      'uid',
      'memberId',
      '_id',
      'idsite',
      'hw_id',
      'hw_seq',
      'age',
    ],
    ...['__proto__', '7', 'event_id', 'success', 'date'],
  ),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }),
)
const value = fc.oneof(
  fc.constantFrom(
    '',
    '1',
    '7',
    '12',
    '0123456789abcdef',
    'ABCDEF0123456789',
    'http://a.example/x?q=1',
    '\u001f',
    'a"b\\c',
    '\0',
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
)
/** Events as requests make them: what they say of visitor, member, site and id follows from the parameters. */
const event = fc
  .record({
    params: fc.array(fc.tuple(name, value), { maxLength: 12 }),
    path: fc.constantFrom('/5', '/matomo.php'),
    requestId: fc.option(fc.constant('0123456789abcdef0123456789abcdef'), { nil: undefined }),
    userAgent: fc.constantFrom('', 'Googlebot/2.1', 'Mozilla/5.0 (Windows NT 10.0) Firefox/128.0', 'a\u001fb'),
    ms: fc.integer({ min: 0, max: 4e12 }),
    position: fc.nat(),
  })
  .map(({ params, path, requestId, userAgent, ms, position }) => {
    const query = formatQuery([...params, ...(path === '/5' ? [] : [['idsite', '7']])].flat() as string[])
    const found = eventsOf(
      {
        remoteAddr: '192.0.2.1',
        remoteUser: undefined,
        timeLocal: ms,
        request: `GET ${path}?${query} HTTP/1.1`,
        status: 204,
        bodyBytesSent: 0,
        referer: undefined,
        userAgent,
        forwardedFor: undefined,
        requestId,
        msec: ms,
        requestBody: undefined,
      },
      { source: 'access-log', position, ingestSiteId: 1 },
    )
    return Array.isArray(found) ? (found[0] as Event) : undefined
  })
  // Of a member that `uid` and `memberId` both name the archive does not say whether it had both.
  .filter(
    found =>
      found !== undefined &&
      'eventId' in found &&
      (getParam(found.params, 'uid') ?? '') !== (getParam(found.params, 'memberId') ?? null),
  ) as fc.Arbitrary<Event>

const NAMES = [
  ...[
    'e_c',
    'e_n',
    'url',
    'h',
    'weekday',
    'host',
    'path',
    'bot',
    'memberId',
    'age',
    '_id',
    'idsite',
    'hw_id',
    'hw_seq',
  ],
  'uid',
  '__proto__',
  '7',
  'query.q',
]
const scenarios = NAMES.flatMap((left, i) => [
  scenario(5_000 + i, { left, operator: 'exists', right: '' }),
  scenario(6_000 + i, { left, operator: '==', right: '7' }),
])
const five = { ...scenario(5, { left: 'e_n', operator: 'exists', right: '' }), site_id: null }

function scenario(id: number, filter: object): Scenario {
  const parsed = parseScenario({
    scenario_id: id,
    title: 'any',
    manager: 'test',
    site_id: 7,
    log_format: { '*': 1, h: 1, bot: 1 },
    filters: [filter],
    logical_operator: 'AND',
  })
  if (!parsed.ok) throw new Error(parsed.faults.join())
  return parsed.scenario
}
const set = createScenarioSet([...scenarios, five], { memberColumns: new Set(['age']), timezone: 'Asia/Seoul' })

/** Kept fields in whatever order. */
const judged = (one: Event): (Omit<Outcome, 'fields'> & { fields: string[] })[] => {
  const judges = set.judgesOf(one)
  const member = one.memberId === '12' ? { age: '7' } : undefined
  return typeof judges === 'string'
    ? []
    : judge(one, member, judges).map(outcome => {
        const pairs: string[] = []
        for (let i = 0; i < outcome.fields.length; i += 2) pairs.push(`${outcome.fields[i]}=${outcome.fields[i + 1]}`)
        return { ...outcome, fields: pairs.sort() }
      })
}

const columns = EVENT_COLUMNS.map(column => column.name)
const at = (row: readonly ArchiveValue[], column: string) => row[columns.indexOf(column)] as ArchiveValue
function fromRow(row: readonly ArchiveValue[]): Event {
  return eventOfRow({
    scenarioId: at(row, 'scenario_id') as number | null,
    siteId: at(row, 'site_id') as number | null,
    date: at(row, 'date') as number,
    receivedAt: at(row, 'received_at') as number,
    texts: ARCHIVED_TEXTS.map(text => at(row, text) as string | null),
  })
}

describe('An event of the archive', () => {
  it('is judged as the event that was archived, and keeps the same fields', () => {
    fc.assert(
      fc.property(event, one => {
        const again = fromRow(eventRow(one, { partition: 0, offset: 0 }))
        expect({ ...again, params: [] }).toEqual({ ...one, params: [] })
        expect(judged(again)).toEqual(judged(one))
      }),
      { numRuns: 500 },
    )
  })

  it('is archived again as the same row', () => {
    fc.assert(
      fc.property(event, one => {
        const row = eventRow(one, { partition: 0, offset: 0 })
        const again = eventRow(fromRow(row), { partition: 0, offset: 0 })
        const parsed = (values: readonly ArchiveValue[]) => JSON.parse((at(values, 'params') ?? '{}') as string)
        expect({ ...parsed(again) }).toEqual({ ...parsed(row) })
        expect(again.filter((_, i) => columns[i] !== 'params')).toEqual(row.filter((_, i) => columns[i] !== 'params'))
      }),
    )
  })
})

describe('The archive as a source', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'headwater-source-'))
  })
  afterAll(() => rm(dir, { recursive: true, force: true }))

  it('gives every event back through Parquet and DuckDB, hostile texts too, and within a range those inside only', async () => {
    const events = fc.sample(event, { numRuns: 700, seed: 42 }).map((one, i) => ({ ...one, eventId: `id-${i}` }))
    const archive = await createReplayArchive({
      folder: join(dir, 'new'),
      tables: ['event_log', 'scenario_log'],
      rollRows: 100,
      rollBytes: 1 << 24,
      codec: 'zstd',
      log: pino({ level: 'silent' }),
    })
    await archive.keep(events.map(one => ({ event: one, arrivedAt: 1_763_000_000_000, outcomes: [] })))
    await archive.finish()
    const archiveDir = join(dir, 'new', 'archive')
    const source = archiveReplaySource({ archiveDir, files: localFileStore(archiveDir) })
    const read = async (range = {}) => {
      const found: Event[] = []
      const shares: number[] = []
      for await (const batch of source.batches(range)) {
        found.push(...batch.events)
        shares.push(batch.share)
        expect(batch.arrivedAt.every(time => time >= 1_763_000_000_000 && time < 1_763_003_600_000)).toBe(true)
      }
      expect(shares).toEqual([...shares].sort((a, b) => a - b))
      return found.sort((a, b) => Number(a.eventId.slice(3)) - Number(b.eventId.slice(3)))
    }
    const expected = events.map(one => fromRow(eventRow(one, { partition: 0, offset: 0 })))
    expect(await read()).toEqual(expected)
    const from = 1e12
    const until = 3e12 + 1
    expect(await read({ from, until, siteId: 7 })).toEqual(
      expected.filter(one => one.siteId === 7 && one.date >= from && one.date < until),
    )
  })

  it('says that a file is damaged also when its first rows are good', async () => {
    const archive = await createReplayArchive({
      folder: join(dir, 'bad-page'),
      tables: ['event_log'],
      rollRows: 20_000,
      rollBytes: 1 << 24,
      codec: 'zstd',
      log: pino({ level: 'silent' }),
    })
    const [one] = fc.sample(event, { numRuns: 1, seed: 42 }) as [Event]
    // Long texts that compress badly: several pages a column.
    const events = Array.from({ length: 10_000 }, (_, n) => ({
      ...one,
      eventId: `id-${n}`,
      userAgent: randomBytes(500).toString('base64'),
    }))
    await archive.keep(events.map(one => ({ event: one, arrivedAt: 1_763_000_000_000, outcomes: [] })))
    await archive.finish()
    const archiveDir = join(dir, 'bad-page', 'archive')
    const files = localFileStore(archiveDir)
    const [file] = await files.list('event_log')
    await damageLastPage(join(archiveDir, file?.path ?? ''), 'user_agent')
    await expect(async () => {
      for await (const batch of archiveReplaySource({ archiveDir, files }).batches({})) expect(batch).toBeDefined()
    }).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' })
  })

  it('says that a file is damaged, and gives nothing where there is no archive', async () => {
    const hour = join(dir, 'damaged', 'event_log', 'day=2026-03-06', 'hour=01')
    await mkdir(hour, { recursive: true })
    await writeFile(join(hour, 'event-log+0+0000000000000000.parquet'), 'PAR1 no more')
    const damaged = archiveReplaySource({
      archiveDir: join(dir, 'damaged'),
      files: localFileStore(join(dir, 'damaged')),
    })
    await expect(async () => {
      for await (const _ of damaged.batches({})) expect.unreachable()
    }).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' })
    const none = archiveReplaySource({ archiveDir: join(dir, 'none'), files: localFileStore(join(dir, 'none')) })
    for await (const _ of none.batches({})) expect.unreachable()
  })
})
