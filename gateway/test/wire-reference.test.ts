import { readFile } from 'node:fs/promises'
import { eventsOf, parseLogLine } from '@headwater/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type StartedGateway, startedGateway } from './started-gateway.ts'

const page = await readFile(new URL('../../docs/reference/wire.md', import.meta.url), 'utf8')

interface RequestRow {
  method: string
  target: string
  body: string
  answer: string
  events: number
}

/** Rows of the table with the head `request | body | answer | events`. */
function requestRows(): RequestRow[] {
  const rows: RequestRow[] = []
  for (const line of page.slice(0, page.indexOf('\n| refused |')).split('\n')) {
    if (!line.startsWith('| `')) continue
    const row = /^\| `([A-Z]+) ([^` ]+)` \|(?: `(.+?)`)? \| (\d{3}(?: `.+`)?) \| (\d+) \|$/.exec(line)
    if (row === null) throw new Error(`A row of wire.md that this test cannot read: ${line}`)
    const [, method, target, body, answer, events] = row as unknown as [string, string, string, string, string, string]
    rows.push({ method, target, body: body ?? '', answer: answer.replaceAll('`', ''), events: Number(events) })
  }
  return rows
}

const rows = requestRows()

describe('docs/reference/wire.md', () => {
  let started: StartedGateway
  beforeAll(async () => {
    started = await startedGateway()
  })
  afterAll(() => started.stop())

  it('has rows to test', () => expect(rows.length).toBeGreaterThan(20))

  it.each(rows)(
    'says how $method $target is answered, body $body',
    async ({ method, target, body, answer, events }) => {
      const before = started.lines().length
      const response = await fetch(`http://127.0.0.1:${started.port}${target}`, {
        method,
        ...(body === '' ? {} : { body }),
      })
      expect(response.headers.get('access-control-allow-origin')).toBe('*')
      expect(response.headers.get('set-cookie')).toBeNull()
      const [, status, what] = /^(\d+) ?(.*)$/.exec(answer) as unknown as [string, string, string]
      expect(response.status).toBe(Number(status))
      if (what.startsWith('{')) expect(await response.text()).toBe(what)
      else if (what !== '') expect(response.headers.get('content-type')).toBe(what)

      const found = started
        .lines()
        .slice(before)
        .flatMap(line => {
          const record = parseLogLine(line)
          if ('rejected' in record) throw new Error(`${record.rejected}: ${line}`)
          const these = eventsOf(record, { source: 'test', position: 0, ingestSiteId: 1 })
          return 'rejected' in these ? [] : these.filter(event => !('rejected' in event))
        })
      expect(found).toHaveLength(events)
    },
  )
})
