import { type Event, eventsOf, MAX_PARAMS, parseLogLine } from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytes, text } from './arbitrary-bytes.ts'
import { gatewayLines, nginxLine, RECEIVED_AT, type SentRequest } from './edge-lines.ts'
import matomo from './fixtures/matomo-requests.json' with { type: 'json' }

/** What becomes of lines: events and reasons, without the ids that are made from the place of the line. */
function outcomes(lines: string[]): unknown[] {
  return lines.flatMap((line, position) => {
    const record = parseLogLine(line)
    if ('rejected' in record) throw new Error(`${record.rejected}: ${line}`)
    const events = eventsOf(record, { source: 's', position, ingestSiteId: 1 })
    if ('rejected' in events) return [events.rejected]
    return events.map(event => {
      if ('rejected' in event) return event.rejected
      return event.eventId.startsWith('p-s-') ? { ...event, eventId: '' } : event
    })
  })
}

const utf8 = (value: string) => Buffer.from(value).toString('latin1')
const name = fc.oneof(
  text(6),
  fc.constantFrom('e_c', '_id', 'hw_id', 'idsite', 'hw_cut', 'hw_body', 'requests', 'path', 'timestamp', '__proto__'),
)
const value = fc.oneof(
  text(),
  fc.constantFrom('1', '0123456789abcdef', 'x'.repeat(9000), '가'.repeat(3000), '\ud800'),
  fc.jsonValue(),
)
const object = fc.oneof(
  fc.dictionary(name, value, { maxKeys: 8 }),
  fc.constant(Object.fromEntries(Array.from({ length: MAX_PARAMS + 2 }, (_, i) => [`k${i}`, i]))),
)
const query = fc
  .array(
    fc.oneof(
      bytes(10),
      fc.constantFrom('e_c=a', '_id=0123456789abcdef', 'hw_id=x', 'idsite=7', 'hw%5Fbody=x', 'a=+%2B'),
    ),
    { maxLength: 6 },
  )
  .map(parts => parts.join('&').replaceAll(/[ \n?#]/g, ''))
const manyParams = fc.constant(Array.from({ length: MAX_PARAMS + 2 }, (_, i) => `u${i}=${i}`).join('&'))
const bulkItem = fc.oneof(
  query.map(q => `?${q}`),
  object,
  fc.jsonValue(),
)
const body = fc.oneof(
  fc.constant(''),
  bytes(),
  query,
  object.map(fields => utf8(JSON.stringify(fields))),
  fc.array(bulkItem, { maxLength: 6 }).map(requests => utf8(JSON.stringify({ requests }))),
)
const place: fc.Arbitrary<Pick<SentRequest, 'path' | 'target'>> = fc.constantFrom(
  { path: '/5', target: { kind: 'scenario', scenarioId: 5 } },
  { path: '/matomo.php', target: { kind: 'matomo' } },
  { path: '/ingest', target: { kind: 'ingest' } },
)
const request: fc.Arbitrary<SentRequest> = fc
  .tuple(place, fc.oneof(query, manyParams), body, fc.constantFrom(undefined, 'https://blog.example/a'))
  .map(([at, q, b, referer]) => ({ method: 'POST', ...at, query: q, body: b, referer: referer as string }))

describe("NGINX's one line and the gateway's lines of one request", () => {
  for (const format of ['headwater', 'combined', 'combined_xff'] as const)
    test(`become the same events and rejections in ${format}`, () => {
      fc.assert(
        fc.property(request, sent => {
          // The shorter formats have no $msec.
          const expected = outcomes([nginxLine(sent)]).map(outcome =>
            typeof outcome === 'string' || format === 'headwater' ? outcome : inWholeSeconds(outcome as Event),
          )
          expect(outcomes(gatewayLines(sent, format))).toEqual(expected)
        }),
        { numRuns: 500 },
      )
    })

  for (const [i, { name, method, target, body, referer }] of matomo.requests.entries())
    test(`become the same events for Matomo's "${name}" (${i})`, () => {
      const [path, query = ''] = target.split('?') as [string, string?]
      const sent: SentRequest = { method, path, target: { kind: 'matomo' }, query, body, referer }
      const events = outcomes([nginxLine(sent)])
      expect(outcomes(gatewayLines(sent, 'headwater'))).toEqual(events)
      expect(events.length).toBeGreaterThan(0)
      for (const event of events) {
        expect(event).toMatchObject({ siteId: 7, receivedAt: RECEIVED_AT })
        expect((event as Event).params.join('')).not.toContain('\ufffd')
        // Without cookies Matomo sends an empty _id.
        if (name === 'cookies off') expect((event as Event).visitorId).toBeUndefined()
        else expect((event as Event).visitorId).toMatch(/^[0-9a-f]{16}$/)
      }
    })
})

function inWholeSeconds(event: Event): Event {
  const receivedAt = Math.floor(event.receivedAt / 1000) * 1000
  return { ...event, receivedAt, date: event.date - event.receivedAt + receivedAt }
}
