import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type BeaconTarget, beaconParams, joinedQuery, parseQuery } from '../../src/index.ts'

const TARGET: BeaconTarget = { kind: 'scenario', scenarioId: 5 }

/** What the general way makes of query and body. */
function eventOf(query: string, body: string): string[] | undefined {
  const params = beaconParams(TARGET, query, body, undefined)
  return 'rejected' in params ? undefined : params.events[0]
}

const NAME = fc.constantFrom('a', 'e_c', '_id', 'c', 'x.y')
const VALUE = fc.oneof(
  fc.constantFrom(
    '',
    'b',
    '%',
    '%2',
    '%41',
    '%zz',
    '%ff',
    '%ED%95%9C',
    '%26',
    '%3D',
    '%2B',
    '%00',
    "~*!'()-",
    'a=b',
    'a+b',
    ' ',
  ),
  fc.string({ maxLength: 8 }).map(encodeURIComponent),
)
const QUERY = fc
  .array(
    fc.oneof(
      { weight: 9, arbitrary: fc.tuple(NAME, VALUE).map(pair => pair.join('=')) },
      fc.constantFrom('', 'a', '='),
    ),
    {
      maxLength: 6,
    },
  )
  .map(parts => parts.join('&'))

it('a query and a body that are joined as text mean what they mean when they are taken apart', () => {
  let joined = 0
  fc.assert(
    fc.property(QUERY, QUERY, (query, body) => {
      const text = joinedQuery(query, body)
      if (text === undefined) return
      joined++
      expect(parseQuery(text, false)).toEqual(eventOf(query, body))
    }),
    { numRuns: 2000 },
  )
  // Else this would say nothing.
  expect(joined).toBeGreaterThan(100)
})

it.each([
  ['a plus, which is a space in a form', '', 'a=b+c'],
  ['a space', '', 'a=b c'],
  ['a part without =', '', 'a&b=c'],
  ['an escape in a name, which may be a name of the URL', 'a=1', '%61=2'],
  ['JSON', '', '{"a":1}'],
  ['a body that is a dash, which is none in the log of NGINX', '', '-'],
  ['a question mark', '', '?a=b'],
  ['a newline at its end', '', 'a=b\n'],
  ['bytes that are no ASCII', '', 'a=\xe9'],
  ['what would have to be escaped in the log', '', 'a="'],
  ['a query that is not plain', 'a=b c', 'd=e'],
  ['a value that may be too long', '', `a=${'x'.repeat(3000)}`],
])('%s is not joined as text', (_name, query, body) => {
  expect(joinedQuery(query, body)).toBeUndefined()
})

it('200 parameters are joined, one more is not', () => {
  const some = (count: number) => Array.from({ length: count }, (_, i) => `p${i}=`).join('&')
  expect(parseQuery(joinedQuery('q=1', some(199)) ?? '', false)).toEqual(eventOf('q=1', some(199)))
  expect(joinedQuery('q=1', some(200))).toBeUndefined()
  expect(joinedQuery('', some(201))).toBeUndefined()
})
