import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import golden from '../../core/test/wire/golden-queries.json' with { type: 'json' }
import { buildQuery, type ParamValue } from '../src/build-query.ts'
import { MAX_EVENT_CHARS } from '../src/limits.ts'
import { paramsOf } from './received-events.ts'

describe('A query', () => {
  // The tracker sends no empty values and no name twice, so those cases of the table are not its own.
  const own = golden.cases.filter(
    ({ params }) => params.every(pair => pair[1]) && new Set(params.map(pair => pair[0])).size === params.length,
  )
  it.each(own)('is written as core writes it: $name', ({ params, query }) => {
    expect(buildQuery(Object.fromEntries(params))).toBe(query)
  })

  it('is read by core as it was meant, over all of Unicode', () => {
    const value = fc.string({ unit: 'binary', minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[A-Za-z_]{1,12}$/), value, { maxKeys: 8, noNullPrototype: true }),
        params => {
          expect(paramsOf(buildQuery(params))).toEqual(params)
        },
      ),
    )
  })

  it('never throws and never exceeds its limit, whatever the strings hold', () => {
    const text = fc.string({
      unit: fc.integer({ min: 0, max: 0xffff }).map(code => String.fromCharCode(code)),
      maxLength: 50,
    })
    fc.assert(
      fc.property(fc.array(fc.tuple(text, fc.integer({ min: 1, max: 2_000 })), { maxLength: 6 }), parts => {
        const params = Object.fromEntries(parts.map(([part, times], i) => [`p${i}`, part.repeat(times)]))
        expect(buildQuery(params).length).toBeLessThanOrEqual(MAX_EVENT_CHARS)
      }),
    )
  })

  it('leaves out what is not there, and keeps zero', () => {
    const nothing: Record<string, ParamValue> = { a: undefined, b: null, c: '', d: false }
    expect(buildQuery({ ...nothing, e: 0, f: true })).toBe('e=0&f=true')
  })

  it('writes half a surrogate pair as the replacement character', () => {
    expect(paramsOf(buildQuery({ e_n: 'a\ud83d', e_a: '\ude00😀' }))).toEqual({ e_n: 'a\ufffd', e_a: '\ufffd😀' })
  })
})
