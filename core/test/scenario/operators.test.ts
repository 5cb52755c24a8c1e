import { canonicalNumber, compileScenario, OPERATORS, orderNumber } from '@headwater/core'
import { describe, expect, test } from 'vitest'
import { filter, sampleEvent, sampleScenario } from './sample-event.ts'

function holds(left: string | undefined, operator: string, right: string): boolean {
  const scenario = sampleScenario({ filters: [filter('x', operator, right)] })
  const compiled = compileScenario(scenario, { memberColumns: new Set(), timezone: 'UTC' })
  return compiled.test(sampleEvent(left === undefined ? [] : ['x', left]), undefined)
}

/** [left, operator, right, holds]; each is also checked against the negated operator. */
const TABLE: Array<[string, string, string, boolean]> = [
  ['MALE', '==', 'MALE', true],
  ['male', '==', 'MALE', false],
  ['', '==', '', true],
  ['7', '==', '7', true],
  ['7', '==', '7.0', true],
  ['1.5', '==', '1.50', true],
  ['-0', '==', '0', true],
  ['007', '==', '7', false],
  ['007', '==', '007', true],
  ['+7', '==', '7', false],
  [' 7', '==', '7', false],
  ['7.', '==', '7', false],
  ['.5', '==', '0.5', false],
  ['1e3', '==', '1000', false],
  ['0x7', '==', '7', false],
  ['Infinity', '==', 'Infinity', true],
  ['NaN', '==', 'NaN', true],
  ['123456789012345', '==', '123456789012345.0', false],
  ['12345678901234', '==', '12345678901234.0', true],
  ['9007199254740993', '==', '9007199254740992', false],
  ['고면할당하기', '==', '고면할당하기', true],

  ['b', 'in', 'a,b,c', true],
  ['b', 'in', 'a, b ,c', true],
  ['B', 'in', 'a,b,c', false],
  ['a,b', 'in', 'a,b,c', false],
  ['', 'in', 'a,,c', false],
  ['7', 'in', '5,7.0,9', true],
  ['007', 'in', '5,7,9', false],
  ['7', 'in', '005,007', false],

  ['buttonClick', 'contains', 'Click', true],
  ['buttonClick', 'contains', 'click', false],
  ['buttonClick', 'contains', '', true],
  ['할당하기', 'contains', '당하', true],
  ['/product/1', 'starts_with', '/product', true],
  ['x/product/1', 'starts_with', '/product', false],
  ['a.jpg', 'ends_with', '.jpg', true],
  ['a.jpg?', 'ends_with', '.jpg', false],
  ['a', 'ends_with', 'aa', false],

  ['product_detail', 'matches', 'detail', true],
  ['product_detail', 'matches', '^detail', false],
  ['product_detail', 'matches', '^product_[a-z]+$', true],
  ['Product', 'matches', '(?i)^product$', true],
  ['고면할당하기', 'matches', '^\\p{Hangul}+$', true],
  ['a.b', 'matches', 'a\\.b', true],
  ['axb', 'matches', 'a\\.b', false],
]

/** [left, right, order]: −1 less, 0 equal, 1 greater, undefined when no order holds. */
const ORDER: Array<[string, string, -1 | 0 | 1 | undefined]> = [
  ['9', '20', -1],
  ['20', '20', 0],
  ['20.0', '20', 0],
  ['100', '20', 1],
  ['-3', '-2', -1],
  ['09', '9', 0],
  ['+5', '4', 1],
  ['.5', '0.4', 1],
  ['5.', '5', 0],
  ['19.90', '19.9', 0],
  ['', '0', undefined],
  [' ', '0', undefined],
  ['abc', '1', undefined],
  ['1e3', '1', undefined],
  ['0x10', '1', undefined],
  ['1,5', '1', undefined],
  ['1.2.3', '1', undefined],
  ['-', '0', undefined],
  ['.', '0', undefined],
  ['NaN', '0', undefined],
  ['Infinity', '0', undefined],
  ['５', '1', undefined],
]

const NEGATED: Record<string, string> = { '==': '!=' }

describe('operators', () => {
  test.each(TABLE)('%j %s %j is %s', (left, operator, right, expected) => {
    expect(holds(left, operator, right)).toBe(expected)
    expect(holds(left, NEGATED[operator] ?? `not_${operator}`, right)).toBe(!expected)
  })

  test.each(ORDER)('the order of %j and %j is %s', (left, right, order) => {
    expect(holds(left, '<', right)).toBe(order === -1)
    expect(holds(left, '<=', right)).toBe(order === -1 || order === 0)
    expect(holds(left, '>=', right)).toBe(order === 1 || order === 0)
    expect(holds(left, '>', right)).toBe(order === 1)
  })

  test.each(OPERATORS.filter(operator => operator !== 'not_exists'))(
    '%s is false when the left side is missing',
    name => {
      expect(holds(undefined, name, '1')).toBe(false)
    },
  )

  test('exists looks only at whether the field is there, be it empty', () => {
    expect(holds('', 'exists', '')).toBe(true)
    expect(holds(undefined, 'not_exists', '')).toBe(true)
    expect(holds('', 'not_exists', '')).toBe(false)
  })

  test("the seeds' !contains is not_contains", () => {
    expect(holds('abc', '!contains', 'b')).toBe(false)
    expect(holds('abc', '!contains', 'x')).toBe(true)
    expect(holds(undefined, '!contains', 'x')).toBe(false)
    expect(sampleScenario({ filters: [filter('x', '!contains', 'b')] }).filters[0]).toEqual(
      filter('x', 'not_contains', 'b'),
    )
  })

  test('very long numbers are read in linear time and keep their order', () => {
    expect(holds('9'.repeat(8192), '>', '5')).toBe(true)
    expect(orderNumber(`0.${'0'.repeat(8000)}1`)).toBe(0)
    expect(canonicalNumber('9'.repeat(8192))).toBeNaN()
  })
})
