import {
  compileScenario,
  createScenarioSet,
  decodeOutcome,
  type Event,
  encodeOutcome,
  judge,
  type Member,
  OPERATORS,
  parseScenario,
  type Scenario,
  type ScenarioFilter,
  type ScenarioFilterGroup,
} from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { filter, sampleEvent, sampleScenario } from './sample-event.ts'

/*
 * The naive interpreter: the sentences of the reference, written down as plainly as possible, with regular expressions
 * and without any of the code under test.
 */

const COLUMNS = new Set(['age', 'gender', 'browser'])
const DECIMAL = /^-?(0|[1-9]\d*)(\.\d+)?$/
const ORDERED = /^[+-]?(\d+\.?\d*|\.\d+)$/

function isCanonical(text: string): boolean {
  return DECIMAL.test(text) && text.replace(/[-.]/g, '').length <= 15
}

function same(a: string, b: string): boolean {
  return a === b || (isCanonical(a) && isCanonical(b) && Number(a) === Number(b))
}

const HOURS = new Map<string, Intl.DateTimeFormat>()

function naiveHour(date: number, timeZone: string): string {
  const format =
    HOURS.get(timeZone) ?? new Intl.DateTimeFormat('en-US', { timeZone, hour: 'numeric', hourCycle: 'h23' })
  HOURS.set(timeZone, format)
  return String(Number(format.format(date)))
}

function naiveParam(event: Event, name: string): string | undefined {
  let value: string | undefined
  for (let i = 0; i < event.params.length; i += 2) if (event.params[i] === name) value = event.params[i + 1]
  return value
}

function naiveField(name: string, event: Event, member: Member | undefined, timezone: string): string | undefined {
  if (name.startsWith('event.')) return naiveParam(event, name.slice(6))
  if (name.startsWith('member.')) return Object.entries(member ?? {}).find(([key]) => key === name.slice(7))?.[1]
  if (COLUMNS.has(name)) return Object.entries(member ?? {}).find(([key]) => key === name)?.[1]
  if (name === 'memberId') return event.memberId
  if (name === 'h') {
    const h = naiveParam(event, 'h')
    if (h !== undefined && /^\d{1,2}$/.test(h) && Number(h) <= 23) return String(Number(h))
    return naiveHour(event.date, timezone)
  }
  if (name === 'path') {
    const url = naiveParam(event, 'url')
    return url === undefined ? undefined : new URL(url).pathname
  }
  return naiveParam(event, name)
}

function naiveOperator(left: string, operator: string, right: string): boolean {
  const items = right.split(',').flatMap(item => item.trim() || [])
  const [a, b] = [ORDERED.test(left) ? Number(left) : undefined, ORDERED.test(right) ? Number(right) : undefined]
  const bothNumbers = a !== undefined && b !== undefined
  switch (operator) {
    case '==':
      return same(left, right)
    case '!=':
      return !same(left, right)
    case '>':
      return bothNumbers && a > b
    case '>=':
      return bothNumbers && a >= b
    case '<':
      return bothNumbers && a < b
    case '<=':
      return bothNumbers && a <= b
    case 'contains':
      return left.split(right).length > 1 || right === ''
    case 'starts_with':
      return left.slice(0, right.length) === right
    case 'ends_with':
      return left.length >= right.length && left.slice(left.length - right.length) === right
    case 'in':
      return items.some(item => same(left, item))
    case 'matches':
      return new RegExp(right, 'u').test(left)
    case 'exists':
      return true
    default:
      return !naiveOperator(left, operator.slice(4), right)
  }
}

function naiveFilter({ left, operator, right }: ScenarioFilter, event: Event, member: Member | undefined, tz: string) {
  const value = naiveField(left, event, member, tz)
  if (value === undefined) return operator === 'not_exists'
  return naiveOperator(value, operator, right)
}

function naiveGroup(group: ScenarioFilterGroup, event: Event, member: Member | undefined, tz: string): boolean {
  if (group.filters.length === 0) return true
  const results = group.filters.map(part =>
    'filters' in part ? naiveGroup(part, event, member, tz) : naiveFilter(part, event, member, tz),
  )
  return group.logical_operator === 'AND' ? !results.includes(false) : results.includes(true)
}

// Few names and few values, so that conditions are often met.
const name = fc.constantFrom('e_c', 'e_a', 'e_v', 'h', 'memberId', 'age', 'gender', 'browser', '__proto__', 'path')
const fieldName = fc.oneof(
  { weight: 4, arbitrary: name.filter(n => n !== '__proto__') },
  name.map(n => `event.${n}`),
  name.map(n => `member.${n}`),
)
const value = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '7',
    '07',
    '7.0',
    '+7',
    '-1',
    '20',
    '9',
    '23',
    'MALE',
    'Click',
    'buttonClick',
    '고면할당하기',
  ),
  fc.integer({ min: -30, max: 30 }).map(String),
  fc.string({ maxLength: 3 }),
)
const anyFilter: fc.Arbitrary<ScenarioFilter> = fc.constantFrom(...OPERATORS).chain(operator => {
  const right = /^[<>]/.test(operator)
    ? fc.constantFrom('0', '7', '07', '-1', '9.5', '20', '+7')
    : operator.endsWith('in')
      ? fc.array(value, { minLength: 1, maxLength: 4 }).map(items => `x,${items.join(',')}`)
      : operator.endsWith('matches')
        ? fc.constantFrom('Click', '^M', '\\d$', '^[0-9]+$', 'a|b', '^$', '당.')
        : value
  return fc.record({ left: fieldName, operator: fc.constant(operator), right })
})
const logicalOperator = fc.constantFrom('AND' as const, 'OR' as const)
const { group } = fc.letrec<{ part: ScenarioFilter | ScenarioFilterGroup; group: ScenarioFilterGroup }>(tie => ({
  part: fc.oneof({ maxDepth: 3 }, anyFilter, tie('group')),
  group: fc.record({
    logical_operator: logicalOperator,
    filters: fc.array(tie('part'), { minLength: 1, maxLength: 4 }),
  }),
}))
const timezone = fc.constantFrom('UTC', 'Asia/Seoul', 'America/New_York', 'Asia/Kathmandu')
const scenario: fc.Arbitrary<Scenario> = fc
  .record({
    root: group,
    log_format: fc.dictionary(fc.oneof(fieldName, fc.constantFrom('*', 'date', 'success')), fc.constantFrom(0, 1), {
      noNullPrototype: true,
    }),
    timezone: fc.option(timezone),
  })
  .map(({ root, ...rest }) => sampleScenario({ ...root, ...rest }))
const event: fc.Arbitrary<Event> = fc
  .record({
    params: fc.array(fc.tuple(fc.oneof(name, fc.constantFrom('success', 'date', 'url')), value), { maxLength: 12 }),
    date: fc.integer({ min: 0, max: Date.UTC(2035, 0) }),
  })
  .map(({ params, date }) => {
    const pairs = params.flatMap(([n, v]) => [
      n,
      n === 'url' ? `http://shop.example/${encodeURI(v.length > 3 ? 'a' : '7')}` : v,
    ])
    return sampleEvent(pairs, { date })
  })
const member = fc.option(fc.dictionary(fc.constantFrom('age', 'gender', 'browser', 'e_c', '__proto__'), value), {
  nil: undefined,
})

describe('a compiled scenario', () => {
  test('judges as a naive interpreter does', () => {
    let successes = 0
    fc.assert(
      fc.property(scenario, fc.array(event, { minLength: 1, maxLength: 5 }), member, (scenario, events, member) => {
        const compiled = compileScenario(scenario, { memberColumns: COLUMNS, timezone: 'Europe/Berlin' })
        for (const event of events) {
          const expected = naiveGroup(scenario, event, member, scenario.timezone ?? 'Europe/Berlin')
          if (expected) successes++
          expect(compiled.test(event, member)).toBe(expected)
        }
      }),
      { numRuns: 1000 },
    )
    expect(successes).toBeGreaterThan(100)
  })

  test('judges the same alone and beside others that share the reading of the event', () => {
    fc.assert(
      fc.property(fc.array(scenario, { minLength: 1, maxLength: 6 }), event, member, (scenarios, event, member) => {
        const numbered = scenarios.map((scenario, i) => ({ ...scenario, scenario_id: i + 1, site_id: 7 }))
        const options = { memberColumns: COLUMNS, timezone: 'Europe/Berlin' }
        const set = createScenarioSet(numbered, options)
        const together = judge(event, member, set.scenarios)
        const alone = numbered.flatMap(scenario => judge(event, member, [compileScenario(scenario, options)]))
        expect(together).toEqual(alone)
        for (const outcome of together) expect(decodeOutcome(encodeOutcome(outcome))).toEqual(outcome)
      }),
    )
  })

  test('reads the member only when it says that it needs it', () => {
    fc.assert(
      fc.property(scenario, event, member, (scenario, event, member) => {
        const compiled = compileScenario(scenario, { memberColumns: COLUMNS, timezone: 'UTC' })
        if (compiled.needsMember) return
        expect(compiled.test(event, member)).toBe(compiled.test(event, undefined))
        expect(compiled.keep(event, member)).toEqual(compiled.keep(event, undefined))
      }),
    )
  })

  test('never throws once its definition was accepted', () => {
    const hostile = fc.string({ unit: 'binary', maxLength: 12 })
    fc.assert(
      fc.property(
        hostile,
        fc.constantFrom(...OPERATORS),
        hostile,
        fc.array(hostile),
        (left, operator, right, params) => {
          const parsed = parseScenario({
            scenario_id: 1,
            title: 't',
            log_format: { '*': 1, [left]: 1 },
            filters: [{ left, operator, right }],
          })
          if (!parsed.ok) return
          const compiled = compileScenario(parsed.scenario, { memberColumns: new Set([left]), timezone: 'UTC' })
          const event = sampleEvent(params.length % 2 === 0 ? params : params.slice(1), { userAgent: right })
          judge(event, { [left]: right }, [compiled])
        },
      ),
      { numRuns: 300 },
    )
  })

  test('an empty list of filters is a success, with AND and with OR', () => {
    for (const logical_operator of ['AND', 'OR']) {
      const compiled = compileScenario(sampleScenario({ logical_operator }), {
        memberColumns: COLUMNS,
        timezone: 'UTC',
      })
      expect(compiled.test(sampleEvent([]), undefined)).toBe(true)
    }
  })

  // Backtracking engines take longer than the age of the universe for these; the default time limit of a test is the check.
  test.each(['(a+)+$', '(a|a)*b', '(.*)*x', '(a|aa)+$', '(a?){40}a{40}b', '^(([a-z])+.)+[A-Z]([a-z])+$'])(
    'matches answers %s in linear time for hostile values',
    pattern => {
      const compiled = compileScenario(sampleScenario({ filters: [filter('x', 'matches', pattern)] }), {
        memberColumns: COLUMNS,
        timezone: 'UTC',
      })
      for (const text of ['a'.repeat(8192), `${'a'.repeat(8191)}!`, 'ab'.repeat(4096)]) {
        expect(compiled.test(sampleEvent(['x', text]), undefined)).toBeTypeOf('boolean')
      }
    },
  )

  test('an unknown operator that got past the schema is refused with its name', () => {
    const scenario = { ...sampleScenario(), filters: [filter('a', '~=', 'b')] }
    expect(() => compileScenario(scenario, { memberColumns: COLUMNS, timezone: 'UTC' })).toThrow(/Found: ~=/)
  })
})
