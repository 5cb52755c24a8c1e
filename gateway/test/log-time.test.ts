import { execFileSync } from 'node:child_process'
import { parseLogLine } from '@headwater/core'
import { expect, it } from 'vitest'
import { ACCEPTED } from '../src/answer.ts'
import { LogLines } from '../src/log-line.ts'
import { msec, timeLocal } from '../src/log-time.ts'

it('$msec has three digits behind the point', () => {
  expect([0, 1_763_807_224_005, 1_763_807_224_050, 1_763_807_224_999].map(msec)).toEqual([
    '0.000',
    '1763807224.005',
    '1763807224.050',
    '1763807224.999',
  ])
})

it.each([
  ['UTC', '+0000'],
  ['Asia/Seoul', '+0900'],
  ['America/St_Johns', '-0330'],
  ['Asia/Kathmandu', '+0545'],
])('$time_local is in the zone of the process: %s', (zone, offset) => {
  // date(1) writes the same format by itself.
  const at = 1_763_807_224
  const date = execFileSync('date', ['-d', `@${at}`, '+%d/%b/%Y:%H:%M:%S %z'], {
    env: { ...process.env, TZ: zone, LC_ALL: 'C' },
    encoding: 'utf8',
  })
  const before = process.env.TZ
  try {
    process.env.TZ = zone
    expect(timeLocal(at * 1000)).toBe(date.trim())
    expect(date).toContain(offset)
  } finally {
    if (before === undefined) delete process.env.TZ
    else process.env.TZ = before
  }
})

it('A line is read back by the parser, in every format', () => {
  const visitor = { address: '1.2.3.4', user: 'a b', referer: '"', userAgent: undefined, forwardedFor: '' }
  for (const format of ['combined', 'combined_xff', 'headwater'] as const) {
    const lines = new LogLines(format)
    const now = 1_763_807_224_123
    const target = { method: 'GET', authority: '', path: '/5', protocol: 'HTTP/1.1' }
    const event = { query: '\xff', isPlain: false, body: undefined, params: undefined }
    const line = lines.line(lines.frame(target, ACCEPTED, visitor, now), event)
    expect(line.endsWith('\n')).toBe(true)
    expect(parseLogLine(line.slice(0, -1))).toMatchObject({
      remoteAddr: '1.2.3.4',
      remoteUser: 'a b',
      request: 'GET /5?\xff HTTP/1.1',
      referer: '"',
      userAgent: undefined,
      timeLocal: 1_763_807_224_000,
      ...(format === 'combined' ? {} : { forwardedFor: '' }),
      ...(format === 'headwater' ? { msec: now } : {}),
    })
  }
})
