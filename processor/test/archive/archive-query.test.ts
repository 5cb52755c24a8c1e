import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ARCHIVE_COLUMNS, encodeEvent, encodeOutcome, eventRow, outcomeRow } from '@headwater/core'
import fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ArchiveReader, openArchive } from '../../src/archive-query.ts'
import { createProcessorMetrics } from '../../src/metrics.ts'
import type { LogEntry, LogName } from '../../src/ports.ts'
import type { QueryValue } from '../../src/query-value.ts'
import { archiveSink } from '../../src/sinks/archive-sink.ts'
import { localFileStore } from '../../src/stores/local-file-store.ts'
import { anyEvent, anyOutcome } from './arbitrary-records.ts'
import { HOUR, outcomeLog, readInto, testSink } from './archive-harness.ts'

let base: string
let made = 0
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'headwater-query-'))
})
afterAll(() => rm(base, { recursive: true, force: true }))
const newRoot = (): string => join(base, String(made++))

async function all(archive: ArchiveReader, sql: string): Promise<QueryValue[][]> {
  const rows: QueryValue[][] = []
  for await (const chunk of (await archive.query(sql)).rows) rows.push(...chunk)
  return rows
}

async function withArchive<T>(root: string, work: (archive: ArchiveReader) => Promise<T>): Promise<T> {
  const archive = await openArchive({ archiveDir: join(root, 'archive'), threads: 1, memoryLimitMb: 256 })
  try {
    return await work(archive)
  } finally {
    archive.close()
  }
}

/** Archives records through the sink and reads them back by DuckDB, in the order they were put in. */
async function roundTrip(
  log: LogName,
  table: 'event_log' | 'scenario_log',
  records: string[],
): Promise<QueryValue[][]> {
  const root = newRoot()
  const entries: LogEntry[] = records.map((json, offset) => ({
    offset,
    order: { generation: 0, position: offset, index: 0, scenarioId: 0 },
    arrivedAt: HOUR,
    value: Buffer.from(json),
  }))
  const sink = archiveSink({
    table,
    reader: { log, commit: async () => {} },
    files: localFileStore(join(root, 'archive')),
    tempDir: join(root, 'tmp'),
    metrics: createProcessorMetrics(new Registry()).archive,
    log: pino({ level: 'silent' }),
  })
  await readInto(sink, entries)
  return withArchive(root, archive => {
    const columns = ARCHIVE_COLUMNS[table].map(({ name, type }) =>
      type === 'timestamp' ? `epoch_ms("${name}")` : `"${name}"`,
    )
    return all(archive, `SELECT ${columns.join(', ')} FROM ${table} ORDER BY source_offset`)
  })
}

describe('the archive in SQL', () => {
  it('gives back every event, whatever stands in it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyEvent, { minLength: 1, maxLength: 80 }), async events => {
        const rows = await roundTrip('event-log', 'event_log', events.map(encodeEvent))
        expect(rows).toEqual(events.map((event, offset) => eventRow(event, { partition: 0, offset })))
      }),
      { numRuns: 12 },
    )
  }, 60_000)

  it('gives back every outcome, whatever stands in it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyOutcome, { minLength: 1, maxLength: 80 }), async outcomes => {
        const rows = await roundTrip('scenario-log', 'scenario_log', outcomes.map(encodeOutcome))
        expect(rows).toEqual(outcomes.map((outcome, offset) => outcomeRow(outcome, { partition: 0, offset })))
      }),
      { numRuns: 12 },
    )
  }, 60_000)

  it('shows the Korean name and the millisecond of the seeds’ event, and the folder it lies in', async () => {
    const root = newRoot()
    await readInto(await testSink({ root }), [
      {
        offset: 0,
        order: { generation: 0, position: 0, index: 0, scenarioId: 5 },
        arrivedAt: HOUR,
        value: Buffer.from(
          encodeOutcome({
            eventId: 'e',
            scenarioId: 5,
            scenarioVersion: 1,
            judgingVersion: 1,
            success: 1,
            date: Date.UTC(2025, 5, 18, 3, 50, 10, 123),
            receivedAt: Date.UTC(2025, 5, 18, 3, 50, 10, 456),
            fields: ['e_n', '고면할당하기', 'memberId', '123456', 'age', '31'],
          }),
        ),
      },
    ])
    await withArchive(root, async archive => {
      const { columns } = await archive.query('SELECT date, day, hour, e_n FROM scenario_log')
      expect(columns).toEqual([
        { name: 'date', type: 'TIMESTAMP WITH TIME ZONE' },
        { name: 'day', type: 'DATE' },
        { name: 'hour', type: 'INTEGER' },
        { name: 'e_n', type: 'VARCHAR' },
      ])
      expect(
        await all(
          archive,
          `SELECT date, e_n, member_id, params->>'age', day, hour, date_trunc('hour', date) FROM scenario_log WHERE day = '2025-06-18'`,
        ),
      ).toEqual([
        ['2025-06-18T03:50:10.123Z', '고면할당하기', '123456', '31', '2025-06-18', 3, '2025-06-18T03:00:00.000Z'],
      ])
    })
  })

  it('is empty, with the right columns, before anything is archived', async () => {
    await withArchive(newRoot(), async archive => {
      for (const table of ['event_log', 'scenario_log'] as const) {
        const { columns, rows } = await archive.query(`SELECT * FROM ${table}`)
        expect(columns.map(({ name }) => name)).toEqual([
          ...ARCHIVE_COLUMNS[table].map(({ name }) => name),
          'day',
          'hour',
        ])
        for await (const chunk of rows) expect(chunk).toEqual([])
      }
      expect(await all(archive, 'SELECT count(*) FROM scenario_log')).toEqual([[0]])
    })
  })

  it('has the same columns with rows and without', async () => {
    const root = newRoot()
    const empty = await withArchive(root, async archive => (await archive.query('FROM scenario_log')).columns)
    await readInto(await testSink({ root }), outcomeLog(3))
    expect(await withArchive(root, async archive => (await archive.query('FROM scenario_log')).columns)).toEqual(empty)
  })

  it('never reads temporary files, and sees a file published while it is open', async () => {
    const root = newRoot()
    const log = outcomeLog(20)
    await readInto(await testSink({ root }), log, { until: 5 })
    const files = localFileStore(join(root, 'archive'))
    await files.write('_tmp/scenario_log/x.parquet', Buffer.from('half'))
    await files.write('scenario_log/day=2025-06-18/hour=03/_scenario-log+0+9.parquet', Buffer.from('half'))
    await withArchive(root, async archive => {
      expect(await all(archive, 'SELECT count(*) FROM scenario_log')).toEqual([[5]])
      await readInto(await testSink({ root }), log)
      expect(await all(archive, 'SELECT count(*) FROM scenario_log')).toEqual([[20]])
    })
  })

  it('reads a folder whose own name looks like a pattern', async () => {
    const root = join(base, "it's [1]* ?")
    await readInto(await testSink({ root }), outcomeLog(3))
    await withArchive(root, async archive => {
      expect(await all(archive, 'SELECT count(*) FROM scenario_log')).toEqual([[3]])
    })
  })

  it('gives values as JSON can hold them', async () => {
    await withArchive(newRoot(), async archive => {
      expect(
        await all(
          archive,
          `SELECT 1, 9007199254740993, sum(2::BIGINT), 0.85, 1e300 * 1e300, true, NULL, [1, NULL], {'a': 1::BIGINT},
                  MAP {'k': 2}, DATE '2025-06-18', TIMESTAMP '2025-06-18 03:00:00', 'x'::BLOB, INTERVAL 1 DAY,
                  TIMESTAMPTZ '2025-06-18 03:00:00.000001Z', 12345678901234567.5`,
        ),
      ).toEqual([
        [
          1,
          '9007199254740993',
          2,
          0.85,
          'Infinity',
          true,
          null,
          [1, null],
          { a: 1 },
          [{ key: 'k', value: 2 }],
          '2025-06-18',
          '2025-06-18 03:00:00',
          'x',
          '1 day',
          '2025-06-18T03:00:00.000001Z',
          '12345678901234567.5',
        ],
      ])
    })
  })

  it('ends a query at its deadline and answers the next one', async () => {
    const root = newRoot()
    const archive = await openArchive({ archiveDir: join(root, 'archive'), threads: 1, deadlineMs: 1_000 })
    try {
      // Only adds up: what must keep rows would be out of memory first on a quick machine.
      await expect(all(archive, 'SELECT sum(range) FROM range(1000000000000)')).rejects.toMatchObject({
        code: 'QUERY_TIMEOUT',
      })
      expect(await all(archive, 'SELECT 1')).toEqual([[1]])
    } finally {
      archive.close()
    }
  })

  it('says so when a query fails or is late behind its first rows: a short answer would be a wrong one', async () => {
    const read = async (archive: ArchiveReader, sql: string) => {
      for await (const chunk of (await archive.query(sql)).rows) expect(chunk.length).toBeGreaterThan(0)
    }
    const open = (deadlineMs: number) => openArchive({ archiveDir: join(newRoot(), 'archive'), threads: 1, deadlineMs })
    const [patient, hasty] = [await open(30_000), await open(2_000)]
    try {
      const failing = `SELECT CASE WHEN range = 500000 THEN error('no') ELSE range END FROM range(1000000)`
      await expect(read(patient, failing)).rejects.toMatchObject({ code: 'QUERY_FAILED' })
      await expect(read(hasty, 'FROM range(1000000000000)')).rejects.toMatchObject({ code: 'QUERY_TIMEOUT' })
      for (const archive of [patient, hasty]) expect(await all(archive, 'SELECT 1')).toEqual([[1]])
    } finally {
      patient.close()
      hasty.close()
    }
  })

  it('streams: rows that nobody reads cost nothing', async () => {
    await withArchive(newRoot(), async archive => {
      for await (const chunk of (await archive.query('FROM range(10000000000)')).rows) {
        expect(chunk.length).toBeGreaterThan(0)
        break
      }
      expect(await all(archive, 'SELECT 1')).toEqual([[1]])
    })
  })

  describe('refuses what does not only read', () => {
    let root: string
    let archive: ArchiveReader
    beforeAll(async () => {
      root = newRoot()
      await readInto(await testSink({ root }), outcomeLog(3))
      await writeFile(join(root, 'secret.csv'), 'a\n1\n')
      archive = await openArchive({ archiveDir: join(root, 'archive'), threads: 1 })
    })
    afterAll(() => archive.close())

    it.each([
      ['COPY out of the archive', `COPY scenario_log TO '/tmp/headwater-never.csv'`],
      ['COPY into the archive', `COPY (SELECT 1) TO '<archive>/x.csv'`],
      ['COPY hidden in EXPLAIN', `EXPLAIN ANALYZE COPY (SELECT 1) TO '<archive>/x.csv'`],
      ['ATTACH', `ATTACH '<archive>/x.db'`],
      ['EXPORT', `EXPORT DATABASE '<archive>/x'`],
      ['INSTALL', 'INSTALL httpfs'],
      ['LOAD', 'LOAD httpfs'],
      ['SET', 'SET threads = 8'],
      ['RESET', 'RESET lock_configuration'],
      ['PRAGMA', 'PRAGMA version'],
      ['PRAGMA behind a comment', '/* x */ -- y\n PRAGMA database_list'],
      ['CALL', 'CALL pragma_version()'],
      ['CREATE', 'CREATE TABLE t (a INT)'],
      ['CREATE TABLE AS', 'CREATE TABLE t AS SELECT 1'],
      ['DROP', 'DROP VIEW scenario_log'],
      ['INSERT in a WITH', 'WITH x AS (INSERT INTO t VALUES (1) RETURNING 1) SELECT * FROM x'],
      ['PREPARE', 'PREPARE p AS SELECT 1'],
      ['BEGIN', 'BEGIN'],
      ['a second statement', `SELECT 1; COPY (SELECT 1) TO '<archive>/x.csv'`],
      ['two that read', 'SELECT 1; SELECT 2'],
      ['nothing', '  -- nothing\n'],
      ['a very long text', `SELECT '${'x'.repeat(100_000)}'`],
    ])('%s', async (_, sql) => {
      await expect(all(archive, sql.replace('<archive>', join(root, 'archive')))).rejects.toMatchObject({
        code: expect.stringMatching(/^QUERY_(REFUSED|FAILED)$/),
      })
      const left = await readdir(join(root, 'archive'), { recursive: true })
      expect(left.filter(name => /x(\.|$)/.test(name))).toEqual([])
      expect(await all(archive, 'SELECT count(*) FROM scenario_log')).toEqual([[3]])
    })

    it.each([
      ['read_text', `SELECT * FROM read_text('/etc/passwd')`],
      ['read_blob', `SELECT * FROM read_blob('/etc/passwd')`],
      ['read_csv', `SELECT * FROM read_csv('<root>/secret.csv')`],
      ['read_csv by a way up', `SELECT * FROM read_csv('<root>/archive/../secret.csv')`],
      ['a file as a table', `SELECT * FROM '<root>/secret.csv'`],
      ['glob', `SELECT * FROM glob('/etc/*')`],
      ['sniff_csv', `SELECT * FROM sniff_csv('/etc/passwd')`],
      ['getenv', `SELECT getenv('HOME')`],
      ['the network', `SELECT * FROM read_parquet('http://127.0.0.1:9/x.parquet')`],
    ])('%s outside the archive', async (_, sql) => {
      await expect(all(archive, sql.replace('<root>', root))).rejects.toMatchObject({ code: 'QUERY_FAILED' })
    })

    it.each([
      ['SELECT', 'SELECT 1'],
      ['WITH', 'WITH x AS (SELECT 1) SELECT * FROM x'],
      ['FROM', 'FROM scenario_log'],
      ['VALUES', 'VALUES (1)'],
      ['DESCRIBE', 'DESCRIBE scenario_log'],
      ['SHOW', 'SHOW TABLES'],
      ['SUMMARIZE', 'SUMMARIZE scenario_log'],
      ['parentheses and a semicolon', '/* x */ (SELECT 1);'],
    ])('and allows %s', async (_, sql) => {
      expect((await all(archive, sql)).length).toBeGreaterThan(0)
    })
  })
})
