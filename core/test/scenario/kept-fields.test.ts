import { compileScenario, type Member } from '@headwater/core'
import { describe, expect, test } from 'vitest'
import { sampleEvent, sampleScenario } from './sample-event.ts'

function kept(log_format: Record<string, 0 | 1>, params: string[], member?: Member): string[] {
  const compiled = compileScenario(sampleScenario({ log_format, timezone: 'UTC' }), {
    memberColumns: new Set(['age', 'email']),
    timezone: 'UTC',
  })
  return compiled.keep(sampleEvent(params), member)
}

const PARAMS = ['e_c', 'buttonClick', 'e_a', 'Clicked', 'memberId', '123456', 'x', '1']

describe('log_format', () => {
  test('1 keeps a field, 0 removes it, a field not named is not kept', () => {
    expect(kept({ e_a: 1, e_c: 0, memberId: 1 }, PARAMS)).toEqual(['e_a', 'Clicked', 'memberId', '123456'])
    expect(kept({}, PARAMS)).toEqual([])
  })

  test('a kept field that the event does not have is left out, an empty one stays', () => {
    expect(kept({ e_v: 1, e_n: 1 }, ['e_v', ''])).toEqual(['e_v', ''])
  })

  test('of a repeated parameter the last value is kept', () => {
    expect(kept({ x: 1 }, ['x', '1', 'x', '2'])).toEqual(['x', '2'])
    expect(kept({ '*': 1 }, ['x', '1', 'y', '0', 'x', '2'])).toEqual(['x', '2', 'y', '0'])
  })

  test('the star keeps every parameter that is not named 0, in the order of the event', () => {
    expect(kept({ '*': 1, e_a: 0 }, PARAMS)).toEqual(['e_c', 'buttonClick', 'memberId', '123456', 'x', '1'])
    expect(kept({ '*': 0, e_a: 1 }, PARAMS)).toEqual(['e_a', 'Clicked'])
  })

  test('derived values and member attributes are kept when they are named', () => {
    expect(kept({ age: 1, weekday: 1, 'member.email': 1 }, PARAMS, { age: '34', email: 'a@b' })).toEqual([
      'age',
      '34',
      'weekday',
      '3',
      'member.email',
      'a@b',
    ])
  })

  test('the star keeps neither derived values nor member attributes', () => {
    expect(kept({ '*': 1 }, ['x', '1'], { age: '34', email: 'a@b' })).toEqual(['x', '1'])
    expect(kept({ '*': 1, age: 1, os: 1 }, ['x', '1'], { age: '34', email: 'a@b' })).toEqual([
      'x',
      '1',
      'age',
      '34',
      'os',
      'Linux',
    ])
  })

  test('a parameter that calls itself like a member attribute or a derived value is kept as event.<name>', () => {
    const forged = ['age', '99', 'browser', 'mine', 'h', '04']
    expect(kept({ '*': 1 }, forged)).toEqual(['event.age', '99', 'event.browser', 'mine', 'h', '4'])
    expect(kept({ '*': 1, age: 0, 'event.browser': 0, h: 0 }, forged)).toEqual([])
    expect(kept({ age: 1 }, forged)).toEqual([])
  })

  test('names mean the same at every event, also when a flood of new and long ones lies between', () => {
    const scenario = sampleScenario({ log_format: { '*': 1, e_a: 0 }, timezone: 'UTC' })
    const { keep } = compileScenario(scenario, { memberColumns: new Set(['age']), timezone: 'UTC' })
    const event = sampleEvent(['e_a', 'Clicked', 'age', '99', 'x', '1'])
    const flood = Array.from({ length: 3_000 }, (_, i) => [i % 10 ? `n${i}` : 'n'.repeat(100 + i), 'v']).flat()
    for (let round = 0; round < 3; round++) {
      expect(keep(event, undefined)).toEqual(['event.age', '99', 'x', '1'])
      expect(keep(event, undefined)).toEqual(['event.age', '99', 'x', '1'])
      expect(keep(sampleEvent(flood), undefined)).toEqual(flood)
    }
  })

  test('a parameter that calls itself like a value of the outcome is kept as event.<name>', () => {
    const forged = ['success', '1', 'scenario_id', '6', 'date', 'x']
    expect(kept({ '*': 1 }, forged)).toEqual(['event.success', '1', 'event.scenario_id', '6', 'event.date', 'x'])
    expect(kept({ success: 1, date: 1 }, forged)).toEqual(['event.success', '1'])
  })

  test('names of object members are ordinary names', () => {
    expect(kept({ '*': 1 }, ['__proto__', 'a', 'constructor', 'b'])).toEqual(['__proto__', 'a', 'constructor', 'b'])
    const log_format: Record<string, 1> = JSON.parse('{"constructor":1,"member.constructor":1}')
    expect(kept(log_format, [], { age: '1' })).toEqual([])
  })
})
