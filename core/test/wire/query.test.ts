import { formatQuery, MAX_PARAMS, MAX_VALUE_BYTES, parseQuery } from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytes, params } from './arbitrary-bytes.ts'
import golden from './golden-queries.json' with { type: 'json' }

describe('the golden queries', () => {
  for (const { name, params: pairs, query } of golden.cases)
    test(`hold for ${name}`, () => {
      expect(formatQuery(pairs.flat())).toBe(query)
      expect(parseQuery(query, false)).toEqual(pairs.flat())
      expect(parseQuery(query, true)).toEqual(pairs.flat())
    })
})

describe('parseQuery', () => {
  test('gives back what formatQuery wrote, for any text and as query and form alike', () => {
    fc.assert(
      fc.property(params(), fc.boolean(), (list, form) => {
        expect(parseQuery(formatQuery(list), form)).toEqual(list)
      }),
    )
  })

  test('reads percent-encoded and raw UTF-8 alike', () => {
    const raw = Buffer.from('고면').toString('latin1')
    expect(parseQuery(`e_n=${raw}`, false)).toEqual(['e_n', '고면'])
    expect(parseQuery('e_n=%EA%B3%A0%EB%A9%B4', false)).toEqual(['e_n', '고면'])
    expect(parseQuery('e_n=%ea%b3%a0%EB%A9%B4', false)).toEqual(['e_n', '고면'])
    expect(parseQuery('e_n=\xea%B3\xa0', false)).toEqual(['e_n', '고'])
  })

  test('leaves a broken percent sequence as it is', () => {
    expect(parseQuery('a=%&b=%4&c=%zz&d=100%&e=%%41&%=%', false)).toEqual([
      'a',
      '%',
      'b',
      '%4',
      'c',
      '%zz',
      'd',
      '100%',
      'e',
      '%A',
      '%',
      '%',
    ])
  })

  test('reads bytes that are no UTF-8 as U+FFFD and %00 as NUL', () => {
    expect(parseQuery('a=%E9t%E9&b=%EA%B3&c=%00', false)).toEqual(['a', '\ufffdt\ufffd', 'b', '\ufffd', 'c', '\0'])
  })

  test('takes + as a space in a form only', () => {
    expect(parseQuery('a+b=c+d', false)).toEqual(['a+b', 'c+d'])
    expect(parseQuery('a+b=c+d%2B', true)).toEqual(['a b', 'c d+'])
  })

  test('passes over empty parts, and keeps names without a value', () => {
    expect(parseQuery('&&a&b=&=c&d==e=&', false)).toEqual(['a', '', 'b', '', '', 'c', 'd', '=e='])
    expect(parseQuery('', false)).toEqual([])
  })

  test('drops what comes behind the 200th parameter and says so', () => {
    const query = Array.from({ length: MAX_PARAMS }, (_, i) => `p${i}=${i}`).join('&')
    expect(parseQuery(query, false)).toHaveLength(2 * MAX_PARAMS)
    const cut = parseQuery(`${query}&x=1`, false)
    expect(cut).toHaveLength(2 * MAX_PARAMS + 2)
    expect(cut.slice(-4)).toEqual([`p${MAX_PARAMS - 1}`, `${MAX_PARAMS - 1}`, 'hw_cut', '1'])
  })

  test('cuts a value of more than 8 KiB at a character and says so', () => {
    const fits = '가'.repeat(Math.floor(MAX_VALUE_BYTES / 3))
    expect(parseQuery(`a=${encodeURIComponent(fits)}`, false)).toEqual(['a', fits])
    expect(parseQuery(`a=${encodeURIComponent(`${fits}가`)}&b=1`, false)).toEqual(['a', fits, 'b', '1', 'hw_cut', '1'])
    expect(parseQuery(`a=${'x'.repeat(MAX_VALUE_BYTES)}`, false)[1]).toHaveLength(MAX_VALUE_BYTES)
    expect(parseQuery(`a=${'x'.repeat(MAX_VALUE_BYTES + 1)}`, false)).toEqual([
      'a',
      'x'.repeat(MAX_VALUE_BYTES),
      'hw_cut',
      '1',
    ])
    // Bad bytes triple when they become U+FFFD.
    const replaced = parseQuery(`a=${'%FF'.repeat(MAX_VALUE_BYTES)}`, false)
    expect(Buffer.byteLength(replaced[1] as string)).toBeLessThanOrEqual(MAX_VALUE_BYTES)
    expect(replaced.slice(2)).toEqual(['hw_cut', '1'])
  })

  test('changes nothing when a query is read, written and read again', () => {
    const long = fc.constantFrom(
      'x'.repeat(MAX_VALUE_BYTES + 1),
      '%FF'.repeat(3000),
      'k=v&'.repeat(MAX_PARAMS + 3),
      'hw_cut=1',
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(bytes(), long), { maxLength: 5 }), fc.boolean(), (parts, form) => {
        const once = parseQuery(parts.join('&'), form)
        expect(parseQuery(formatQuery(once), false)).toEqual(once)
      }),
    )
  })
})
