import { readFile } from 'node:fs/promises'
import {
  type ArchiveValue,
  EVENT_COLUMNS,
  eventRow,
  eventsOf,
  formatLogLine,
  type LogRecord,
  parseLogLine,
} from '@headwater/core'
import { describe, expect, it } from 'vitest'
import matomo from './wire/fixtures/matomo-requests.json' with { type: 'json' }

const page = await readFile(new URL('../../docs/reference/wire.md', import.meta.url), 'utf8')

interface ParameterRow {
  parameter: string
  example: string
  column: string
  value: string
}

/** Rows of the tables with the heads `parameter | example | in event_log | meaning`. */
function parameterRows(): ParameterRow[] {
  const rows: ParameterRow[] = []
  for (const line of page.slice(page.indexOf('\n## Parameters\n')).split('\n')) {
    if (!line.startsWith('| `')) continue
    const row = /^\| `([^`]+)` \| `([^`]+)` \| `([^`]+)` = `([^`]+)` \|.*\|$/.exec(line)
    if (row === null) throw new Error(`A row of wire.md that this test cannot read: ${line}`)
    const [, parameter, example, column, value] = row as unknown as [string, string, string, string, string]
    rows.push({ parameter, example, column, value })
  }
  return rows
}

const received = /received at `([^`]+)`/.exec(page)?.[1] ?? ''
const sentAs = /Every example is sent as `GET ([^`…]+)…`/.exec(page)?.[1] ?? ''

/** The row of `event_log` for a request, by way of its log line. */
function archived(target: string): Map<string, ArchiveValue> {
  const at = Date.parse(received)
  const record: LogRecord = {
    remoteAddr: '192.0.2.1',
    remoteUser: undefined,
    timeLocal: Math.floor(at / 1000) * 1000,
    request: `GET ${target} HTTP/1.1`,
    status: 200,
    bodyBytesSent: 43,
    referer: undefined,
    userAgent: 'Mozilla/5.0',
    forwardedFor: undefined,
    requestId: '0123456789abcdef0123456789abcdef',
    msec: at,
    requestBody: undefined,
  }
  const parsed = parseLogLine(formatLogLine(record, 'headwater'))
  if ('rejected' in parsed) throw new Error(parsed.rejected)
  const events = eventsOf(parsed, { source: 'test', position: 0, ingestSiteId: 1 })
  const [event] = 'rejected' in events ? [events] : events
  if (event === undefined || 'rejected' in event) throw new Error(`${target} is no event`)
  const row = eventRow(event, { partition: 0, offset: 0 })
  return new Map(EVENT_COLUMNS.map(({ name }, i) => [name, row[i] as ArchiveValue]))
}

function placed(row: Map<string, ArchiveValue>, column: string): unknown {
  if (column.startsWith('params.')) {
    const params = JSON.parse(String(row.get('params') ?? '{}')) as Record<string, unknown>
    return params[column.slice('params.'.length)]
  }
  const value = row.get(column)
  const type = EVENT_COLUMNS.find(({ name }) => name === column)?.type
  return type === 'timestamp' ? new Date(value as number).toISOString() : String(value)
}

const rows = parameterRows()

describe('docs/reference/wire.md', () => {
  it('has rows to test', () => {
    expect(rows.length).toBeGreaterThan(90)
    expect(sentAs).toBe('/matomo.php?idsite=7&')
  })

  it.each(rows)('says where $example goes: $column', ({ parameter, example, column, value }) => {
    expect(example.startsWith(`${parameter}=`)).toBe(true)
    expect(placed(archived(sentAs + example), column)).toBe(value)
  })

  it('lists every column of event_log that a parameter fills', () => {
    const listed = new Set(rows.map(({ column }) => column))
    for (const { name, source } of EVENT_COLUMNS) {
      const filled = source.from === 'param' || (source.from === 'own' && source.sameAs !== undefined)
      if (filled) expect(listed, name).toContain(name)
    }
  })

  it('lists every parameter that matomo.js was seen to send', () => {
    const listed = new Set(rows.map(({ parameter }) => parameter.replace(/^dimension\d+$/, 'dimension')))
    for (const { name, target, body } of matomo.requests) {
      const queries = [target.slice(target.indexOf('?') + 1)]
      if (body.startsWith('{')) {
        queries.push(...(JSON.parse(body) as { requests: string[] }).requests.map(request => request.slice(1)))
      } else queries.push(body)
      for (const query of queries) {
        if (!query.includes('=')) continue
        for (const parameter of new URLSearchParams(query).keys())
          expect(listed, `${parameter} in ${name}`).toContain(parameter.replace(/^dimension\d+$/, 'dimension'))
      }
    }
  })
})
