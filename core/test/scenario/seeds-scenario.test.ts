import { compileScenario, judge, type Member, parseScenario, type Scenario } from '@headwater/core'
import { describe, expect, test } from 'vitest'
import { sampleEvent } from './sample-event.ts'

/** Word for word as the seeds' document has it, with the `...` of its log_format taken out. */
const SEEDS_JSON = `{
  "scenario_id": 5,
  "title": "9시 이후 구매 버튼을 클릭한 성인 남성 사용자 필터링",
  "manager": "admin_user",
  "log_format": {
    "e_c": 0,
    "e_a": 0,
    "memberId": 1,
    "h": 1,
    "res": 0
  },
  "filters": [
    { "left": "age", "operator": ">", "right": "20" },
    { "left": "gender", "operator": "==", "right": "MALE" },
    { "left": "h", "operator": ">=", "right": "9" }
  ],
  "logical_operator": "AND"
}`

const CLICK = [
  ['e_c', 'buttonClick'],
  ['e_a', 'Clicked'],
  ['e_n', '고면할당하기'],
  ['url', 'http://shop.example/product_detail/product_name'],
  ['urlref', 'http://shop.example/'],
  ['_idn', '0'],
  ['cookie', '1'],
  ['res', '1920x1080'],
  ['memberId', '123456'],
].flat()

const MEMBER_TABLE = { memberColumns: new Set(['username', 'age', 'gender', 'address']), timezone: 'Asia/Seoul' }

function seedsScenario(): Scenario {
  const result = parseScenario(JSON.parse(SEEDS_JSON))
  if (!result.ok) throw new Error(result.faults.join('\n'))
  return result.scenario
}

/** The hour in Seoul is nine ahead of UTC. */
function atSeoulHour(hour: number): number {
  return Date.UTC(2025, 5, 18, hour - 9, 30)
}

describe('the scenario of the seeds', () => {
  test('is accepted literally, with the defaults of what it does not say', () => {
    expect(seedsScenario()).toEqual({
      ...JSON.parse(SEEDS_JSON),
      enabled: true,
      site_id: null,
      timezone: null,
      version: 1,
      judging_version: 1,
    })
  })

  const adultMan: Member = { age: '34', gender: 'MALE' }
  const cases: Array<[string, Member | undefined, number, 0 | 1]> = [
    ['an adult man at nine', adultMan, 9, 1],
    ['an adult man at 23', adultMan, 23, 1],
    ['an adult man before nine', adultMan, 8, 0],
    ['an adult man at midnight', adultMan, 0, 0],
    ['an adult woman at nine', { age: '34', gender: 'FEMALE' }, 9, 0],
    ['a man of just twenty', { age: '20', gender: 'MALE' }, 12, 0],
    ['a man of 21', { age: '21', gender: 'MALE' }, 12, 1],
    ['a boy of nine, though "9" is greater than "20" as text', { age: '9', gender: 'MALE' }, 12, 0],
    ['a man of 100, though "100" is less than "20" as text', { age: '100', gender: 'MALE' }, 12, 1],
    ['a member without age', { gender: 'MALE' }, 12, 0],
    ['a visitor who is no member', undefined, 12, 0],
  ]
  test.each(cases)('%s', (_who, member, hour, success) => {
    const compiled = compileScenario(seedsScenario(), MEMBER_TABLE)
    const [outcome] = judge(sampleEvent(CLICK, { date: atSeoulHour(hour) }), member, [compiled])
    expect(outcome?.success).toBe(success)
    expect(outcome?.fields).toEqual(['memberId', '123456', 'h', String(hour)])
  })

  test('takes the hour of the request when it has one, as the captured requests do', () => {
    const compiled = compileScenario(seedsScenario(), MEMBER_TABLE)
    const event = sampleEvent([...CLICK, 'h', '4'], { date: atSeoulHour(12) })
    expect(compiled.test(event, adultMan)).toBe(false)
    expect(compiled.keep(event, adultMan)).toEqual(['memberId', '123456', 'h', '4'])
    expect(compiled.test(sampleEvent([...CLICK, 'h', '99'], { date: atSeoulHour(12) }), adultMan)).toBe(true)
  })

  test('cannot be fooled by age and gender in the URL', () => {
    const compiled = compileScenario(seedsScenario(), MEMBER_TABLE)
    const event = sampleEvent([...CLICK, 'age', '40', 'gender', 'MALE'], { date: atSeoulHour(12) })
    expect(compiled.needsMember).toBe(true)
    expect(compiled.test(event, undefined)).toBe(false)
    expect(compiled.test(event, { age: '12', gender: 'MALE' })).toBe(false)
  })

  test('filters on a field that it does not keep', () => {
    const scenario = { ...seedsScenario(), filters: [{ left: 'e_c', operator: '==', right: 'buttonClick' }] }
    const compiled = compileScenario(scenario, MEMBER_TABLE)
    expect(compiled.test(sampleEvent(CLICK), undefined)).toBe(true)
    expect(compiled.needsMember).toBe(false)
  })
})
