import { judgesOtherwise, parseScenario, type Scenario } from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { filter, sampleScenario } from './sample-event.ts'

function faultsOf(rest: Record<string, unknown>): string[] {
  const result = parseScenario({ scenario_id: 5, title: 'a scenario', filters: [], ...rest })
  return result.ok ? [] : result.faults
}

function nested(depth: number, inner: unknown = filter('a', '==', 'b')): unknown {
  let value = inner
  for (let i = 0; i < depth; i++) value = { logical_operator: 'OR', filters: [value] }
  return value
}

describe('parseScenario', () => {
  test('fills in what is left out', () => {
    expect(parseScenario({ scenario_id: 5, title: 'a scenario', filters: [] })).toEqual({
      ok: true,
      scenario: {
        scenario_id: 5,
        title: 'a scenario',
        manager: '',
        log_format: {},
        filters: [],
        logical_operator: 'AND',
        enabled: true,
        site_id: null,
        timezone: null,
        version: 1,
        judging_version: 1,
      },
    })
  })

  test('gives back what it gave', () => {
    const scenario = sampleScenario({
      log_format: { '*': 1, e_c: 0 },
      filters: [filter('a', '!contains', 'b'), nested(5)],
      logical_operator: 'OR',
      enabled: false,
      site_id: 7,
      timezone: 'Asia/Seoul',
      version: 0,
    })
    expect(parseScenario(scenario)).toEqual({ ok: true, scenario })
  })

  test('reads status RUN and PAUSE as enabled', () => {
    expect(sampleScenario({ status: 'RUN' }).enabled).toBe(true)
    expect(sampleScenario({ status: 'PAUSE' }).enabled).toBe(false)
    expect(sampleScenario({ status: 'PAUSE' })).not.toHaveProperty('status')
    expect(sampleScenario({ status: 'PAUSE', enabled: false }).enabled).toBe(false)
    expect(faultsOf({ status: 'PAUSE', enabled: true })).toEqual([
      'status: expected to agree with enabled, which is true. Found: "PAUSE".',
    ])
  })

  test('reads numbers and booleans on the right as their text', () => {
    const filters = [
      { left: 'age', operator: '>', right: 20 },
      { left: 'bot', operator: '==', right: false },
      { left: 'e_v', operator: '==', right: 1.5 },
      { left: 'e_n', operator: 'exists' },
    ]
    expect(sampleScenario({ filters }).filters).toEqual([
      filter('age', '>', '20'),
      filter('bot', '==', 'false'),
      filter('e_v', '==', '1.5'),
      filter('e_n', 'exists', ''),
    ])
  })

  test('tells all faults together, each with its path, what was expected and what was found', () => {
    const result = parseScenario({
      scenario_id: '5',
      titel: 'x',
      log_format: { e_c: 2, '': 1 },
      filters: [
        { left: 'e_n', operator: 'contain', right: 'x' },
        { left: '', operator: '>', right: 'nine' },
        { logical_operator: 'XOR', filters: [{ left: 'e_n', operator: 'matches', right: '(a' }, 'age > 20'] },
        { left: 'a', operator: '==', right: null },
        { left: 'a', operator: '==', rigth: 'b' },
      ],
      enabled: 'yes',
      timezone: 'Asia/Soul',
      version: 1.5,
    })
    expect(result.ok ? [] : result.faults.toSorted()).toEqual(
      [
        'enabled: expected true or false. Found: "yes".',
        'filters[0].operator: expected one of == != > >= < <= contains not_contains starts_with not_starts_with ends_with not_ends_with in not_in matches not_matches exists not_exists, did you mean contains? Found: "contain".',
        'filters[1].left: expected a field name. Found: "".',
        'filters[1].right: expected a number for >. Found: "nine".',
        'filters[2].filters[0].right: expected a pattern in RE2 syntax (error parsing regexp: missing closing ): `(a`). Found: "(a".',
        'filters[2].filters[1]: expected a filter {left, operator, right} or a group {logical_operator, filters}. Found: "age > 20".',
        'filters[2].logical_operator: expected AND or OR. Found: "XOR".',
        'filters[3].right: expected a text, number or boolean. Found: null.',
        'filters[4].right: expected a value for ==. Found: nothing.',
        'filters[4].rigth: expected one of the keys left operator right, did you mean right? Found: "rigth".',
        'log_format.e_c: expected 1 (keep) or 0 (remove). Found: 2.',
        'log_format[""]: expected a field name. Found: "".',
        'scenario_id: expected a whole number. Found: "5".',
        'timezone: expected an IANA time zone such as Asia/Seoul. Found: "Asia/Soul".',
        'titel: expected one of the keys scenario_id title manager log_format filters logical_operator enabled status site_id timezone version judging_version, did you mean title? Found: "titel".',
        'title: expected a text. Found: nothing.',
        'version: expected a whole number. Found: 1.5.',
      ].toSorted(),
    )
  })

  test.each([
    ['scenario_id', { scenario_id: 0 }, 'scenario_id: expected at least 1. Found: 0.'],
    ['scenario_id', { scenario_id: 2 ** 31 }, 'scenario_id: expected at most 2147483647. Found: 2147483648.'],
    ['site_id', { site_id: 1.5 }, 'site_id: expected a whole number. Found: 1.5.'],
    ['status', { status: 'STOP' }, 'status: expected RUN or PAUSE. Found: "STOP".'],
    ['title', { title: '' }, 'title: expected a title. Found: "".'],
    ['filters', { filters: {} }, 'filters: expected a list of filters. Found: an object.'],
    [
      'an empty group',
      { filters: [{ logical_operator: 'AND', filters: [] }] },
      'filters[0].filters: expected at least one filter in a group. Found: a list of 0.',
    ],
    [
      'an empty list',
      { filters: [filter('a', 'in', ' , ')] },
      'filters[0].right: expected a comma list with at least one item. Found: " , ".',
    ],
    [
      'a bare prefix',
      { filters: [filter('event.', '==', 'a')] },
      'filters[0].left: expected a field name behind the prefix. Found: "event.".',
    ],
    [
      'a pattern with look-ahead',
      { filters: [filter('a', 'matches', '(?=a)')] },
      'filters[0].right: expected a pattern in RE2 syntax (error parsing regexp: invalid or unsupported Perl syntax: `(?=`). Found: "(?=a)".',
    ],
    [
      'a pattern that is too large',
      { filters: [filter('a', 'matches', 'a{900}')] },
      'filters[0].right: expected a smaller pattern: at most 300 steps, this one has 902. Found: "a{900}".',
    ],
    [
      'a long right side',
      { filters: [filter('a', '==', 'x'.repeat(8193))] },
      `filters[0].right: expected at most 8192 characters. Found: "${'x'.repeat(80)}"… (8193 characters).`,
    ],
    [
      'the name __proto__',
      { log_format: JSON.parse('{"__proto__":1}') },
      'log_format.__proto__: expected another field name. Found: "__proto__".',
    ],
  ])('refuses %s', (_what, rest, fault) => {
    expect(faultsOf(rest)).toEqual([fault])
  })

  test('takes groups five deep and refuses deeper ones, however deep', () => {
    expect(faultsOf({ filters: [nested(5)] })).toEqual([])
    const six = faultsOf({ filters: [nested(6)] })
    expect(six).toHaveLength(1)
    expect(six[0]).toMatch(
      /^filters\[0\](\.filters\[0\]){5}: expected at most 5 groups within each other\. Found: an object\.$/,
    )
    expect(faultsOf({ filters: [nested(100_000)] })).toEqual(six)
  })

  test('takes a hundred filters in all and refuses more, without looking at each', () => {
    const many = (n: number) => Array.from({ length: n }, () => filter('a', '==', 'b'))
    expect(faultsOf({ filters: many(100) })).toEqual([])
    expect(faultsOf({ filters: [...many(50), { logical_operator: 'OR', filters: many(50) }] })).toEqual([])
    const fault = 'filters: expected at most 100 filters in all groups. Found: more.'
    expect(faultsOf({ filters: [...many(50), { logical_operator: 'OR', filters: many(51) }] })).toEqual([fault])
    expect(faultsOf({ filters: Array.from({ length: 100_000 }, () => filter('a', 'matches', '(a{30}){9}')) })).toEqual([
      fault,
    ])
    expect(
      faultsOf({ filters: Array.from({ length: 100_000 }, () => ({ logical_operator: 'OR', filters: [] })) }),
    ).toEqual([fault])
  })

  test('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), value => {
        expect(parseScenario(value).ok).toBe(false)
      }),
    )
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.jsonValue(), (filters, rest) => {
        parseScenario({ scenario_id: 1, title: 't', filters, log_format: rest, right: rest })
        parseScenario({ scenario_id: 1, title: 't', filters: [{ left: 'a', operator: 'in', right: rest }, filters] })
      }),
    )
  })
})

describe('judgesOtherwise', () => {
  const before = sampleScenario({
    filters: [filter('a', 'not_contains', 'b'), nested(1)],
    site_id: 7,
    timezone: 'Asia/Seoul',
  })

  test.each<[string, Partial<Scenario>]>([
    ['title', { title: 'other' }],
    ['manager', { manager: 'other' }],
    ['kept fields', { log_format: { a: 1 } }],
    ['enabled', { enabled: false }],
    ['versions', { version: 9, judging_version: 4 }],
    [
      'the spelling of an operator',
      { filters: [filter('a', '!contains', 'b'), nested(1) as Scenario['filters'][number]] },
    ],
  ])('is false when only %s changed', (_what, change) => {
    expect(judgesOtherwise(before, { ...before, ...change })).toBe(false)
  })

  test.each<[string, Partial<Scenario>]>([
    ['a right side', { filters: [filter('a', 'not_contains', 'c'), before.filters[1]!] }],
    ['the filters within a group', { filters: [before.filters[0]!, filter('a', '==', 'b')] }],
    ['logical_operator', { logical_operator: 'OR' }],
    ['site', { site_id: 8 }],
    ['zone', { timezone: 'Asia/Tokyo' }],
  ])('is true when %s changed', (_what, change) => {
    expect(judgesOtherwise(before, { ...before, ...change })).toBe(true)
  })

  test('does not go by the order of JSON keys', () => {
    const reordered = before.filters.map(part => Object.fromEntries(Object.entries(part).toReversed()))
    expect(judgesOtherwise(before, { ...before, filters: reordered as unknown as Scenario['filters'] })).toBe(false)
  })
})
