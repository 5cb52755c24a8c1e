import { compileOperator, OPERATORS } from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { holds } from '../src/rules/condition.ts'

describe('A condition of a tag rule', () => {
  const text = fc.oneof(
    fc.constantFrom(
      '',
      '0',
      '-0',
      '7',
      '007',
      '+7',
      '7.0',
      '7.',
      '.5',
      '-',
      '.',
      '1e3',
      '9'.repeat(16),
      'a',
      'A',
      'ab',
      '가',
      'a,b',
      ' a ',
    ),
    fc.double({ noNaN: true }).map(String),
    fc.string({ maxLength: 5 }),
  )
  it.each(OPERATORS.filter(name => !name.endsWith('matches')))(
    'has the meaning that scenarios give it: %s',
    operator => {
      fc.assert(
        fc.property(text, text, (left, right) => {
          expect(holds(left, operator, right)).toBe(compileOperator(operator, right)(left))
        }),
      )
    },
  )

  it.each(['^a.c$', 'b+', '(x|가)', '[0-9]{2}', '\\d\\.'])('matches the pattern %s as scenarios do', pattern => {
    for (const left of ['abc', 'a가c', 'bb', '42', '1.5', '', 'xyz'])
      for (const operator of ['matches', 'not_matches'])
        expect(holds(left, operator, pattern)).toBe(compileOperator(operator, pattern)(left))
  })

  it('without a left side holds for not_exists only', () => {
    for (const operator of OPERATORS) expect(holds(undefined, operator, 'a')).toBe(operator === 'not_exists')
  })

  it("knows the seeds' !contains and refuses what is no operator", () => {
    expect(holds('abc', '!contains', 'x')).toBe(true)
    expect(() => holds('a', 'resembles', 'b')).toThrow('Unknown operator: resembles')
    expect(() => holds('a', 'matches', '(')).toThrow()
  })
})
