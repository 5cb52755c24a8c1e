import { compileScenario, type Event } from '@headwater/core'
import { describe, expect, test } from 'vitest'
import { sampleEvent, sampleScenario } from './sample-event.ts'

/** What the scenario sees under a name. */
function field(name: string, params: string[], rest: Partial<Event> = {}, timezone = 'UTC'): string | undefined {
  const scenario = sampleScenario({ log_format: { [name]: 1 } })
  const compiled = compileScenario(scenario, { memberColumns: new Set(['age']), timezone })
  return compiled.keep(sampleEvent(params, rest), undefined)[1]
}

const SUNDAY_2330_UTC = Date.UTC(2025, 5, 15, 23, 30)

describe('derived fields', () => {
  test.each([
    ['4', '4'],
    ['04', '4'],
    ['0', '0'],
    ['23', '23'],
    ['24', '8'],
    ['-1', '8'],
    ['4.0', '8'],
    ['', '8'],
    ['004', '8'],
    ['4h', '8'],
    ['４', '8'],
  ])('h is the parameter when it is a whole number 0–23, else the hour of the zone: %j gives %s', (h, expected) => {
    expect(field('h', ['h', h], { date: SUNDAY_2330_UTC }, 'Asia/Seoul')).toBe(expected)
  })

  test('h and weekday go by the zone of the scenario before that of the options', () => {
    const scenario = sampleScenario({ log_format: { h: 1, weekday: 1 }, timezone: 'Asia/Kathmandu' })
    const compiled = compileScenario(scenario, { memberColumns: new Set(), timezone: 'America/New_York' })
    expect(compiled.keep(sampleEvent([], { date: SUNDAY_2330_UTC }), undefined)).toEqual(['h', '5', 'weekday', '1'])
    expect(field('h', [], { date: SUNDAY_2330_UTC }, 'America/New_York')).toBe('19')
    expect(field('weekday', [], { date: SUNDAY_2330_UTC }, 'America/New_York')).toBe('7')
  })

  test.each<[string, string | undefined, string | undefined]>([
    ['http://shop.example/product_detail/a?x=1#y', 'shop.example', '/product_detail/a'],
    ['https://User:pw@Shop.Example:8443/A', 'shop.example', '/A'],
    ['http://shop.example', 'shop.example', '/'],
    ['http://shop.example?x=/y', 'shop.example', '/'],
    ['http://shop.example#/a', 'shop.example', '/'],
    ['http://[::1]:4000/a', '[::1]', '/a'],
    ['//cdn.example/a', 'cdn.example', '/a'],
    ['/posts/hello?x=1', undefined, '/posts/hello'],
    ['http://shop.example/%EC%83%81%ED%92%88', 'shop.example', '/상품'],
    ['http://shop.example/%FF%', 'shop.example', '/\ufffd%'],
    ['android-app://com.example/x', 'com.example', '/x'],
    ['about:blank', undefined, undefined],
    ['not a url', undefined, undefined],
    ['?a://b/c', undefined, undefined],
    ['http:///a', undefined, '/a'],
    ['', undefined, undefined],
  ])('host and path of %j', (url, host, path) => {
    expect(field('host', ['url', url])).toBe(host)
    expect(field('path', ['url', url])).toBe(path)
    expect(field('ref_host', ['urlref', url])).toBe(host)
  })

  test('a page without url has no host, path or query', () => {
    expect(['host', 'path', 'ref_host', 'query.a'].map(name => field(name, []))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })

  test.each<[string, string | undefined]>([
    ['http://h/?a=1', '1'],
    ['http://h/?b=2&a=1', '1'],
    ['http://h/?a=1&a=2', '2'],
    ['http://h/?a', ''],
    ['http://h/?a=', ''],
    ['http://h/?a=x=y', 'x=y'],
    ['http://h/?%61=1', '1'],
    ['http://h/?a=%EA%B3%A0+b%2Bc', '고 b+c'],
    ['http://h/?a=%E0%A4%A', '\ufffd%A'],
    ['http://h/?aa=1&A=2', undefined],
    ['http://h/#?a=1', undefined],
    ['/?a=1#a=2', '1'],
  ])('query.a of %j', (url, expected) => {
    expect(field('query.a', ['url', url])).toBe(expected)
  })

  test('a long hostile address takes linear time', () => {
    const hostile = ['%'.repeat(8192), '&'.repeat(8192), '%F0%90'.repeat(1300), 'a=&'.repeat(2700), ':/'.repeat(4096)]
    for (const text of hostile) {
      for (const url of [text, `http://${text}`, `http://h/${text}`, `http://h/?${text}`]) {
        for (const name of ['host', 'path', 'query.a']) field(name, ['url', url])
      }
    }
  })

  test('browser, os, device and bot come from the agent, not from parameters of these names', () => {
    const forged = ['browser', 'x', 'os', 'x', 'device', 'x', 'bot', 'true']
    expect(['browser', 'os', 'device', 'bot'].map(name => field(name, forged))).toEqual([
      'Chrome',
      'Linux',
      'desktop',
      'false',
    ])
    expect(field('event.browser', forged)).toBe('x')
  })

  test('memberId falls back to uid', () => {
    expect(field('memberId', ['uid', 'u1'], { memberId: 'u1' })).toBe('u1')
    expect(field('memberId', ['memberId', 'm1'])).toBe('m1')
    expect(field('memberId', [])).toBeUndefined()
  })
})
