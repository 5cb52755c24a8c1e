import { formatLogLine, type LogFormat, type LogRecord, MAX_LINE_BYTES, parseLogLine } from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytes, logRecord } from './arbitrary-bytes.ts'

const FORMATS: LogFormat[] = ['combined', 'combined_xff', 'headwater']

function parsed(line: string): LogRecord {
  const record = parseLogLine(line)
  if ('rejected' in record) throw new Error(`${record.rejected}: ${line}`)
  return record
}

const COMBINED = '192.0.2.1 - - [22/Nov/2026:10:22:00 +0000] "GET /5?e_c=a HTTP/1.1" 204 0 "-" "Mozilla/5.0"'
const REQUEST_ID = '0123456789abcdef0123456789abcdef'

describe('parseLogLine', () => {
  for (const format of FORMATS)
    test(`gives back what formatLogLine wrote in ${format}, whatever bytes the fields hold`, () => {
      fc.assert(
        fc.property(logRecord(format), record => {
          const line = formatLogLine(record, format)
          expect(line).toMatch(/^[\x20-\x7e]*$/)
          expect(parseLogLine(line)).toEqual(record)
        }),
        { numRuns: 500 },
      )
    })

  test('reads the three formats', () => {
    const record: LogRecord = {
      remoteAddr: '192.0.2.1',
      remoteUser: undefined,
      timeLocal: Date.UTC(2026, 10, 22, 10, 22),
      request: 'GET /5?e_c=a HTTP/1.1',
      status: 204,
      bodyBytesSent: 0,
      referer: undefined,
      userAgent: 'Mozilla/5.0',
      forwardedFor: undefined,
      requestId: undefined,
      msec: undefined,
      requestBody: undefined,
    }
    expect(parseLogLine(COMBINED)).toEqual(record)
    expect(parseLogLine(`${COMBINED} "203.0.113.9, 10.0.0.1"`)).toEqual({
      ...record,
      forwardedFor: '203.0.113.9, 10.0.0.1',
    })
    expect(parseLogLine(`${COMBINED} "-" ${REQUEST_ID} 1795342920.123 "{\\x22a\\x22:1}"`)).toEqual({
      ...record,
      requestId: REQUEST_ID,
      msec: 1795342920123,
      requestBody: '{"a":1}',
    })
  })

  test('takes the time right before the request, whatever the user name holds', () => {
    for (const user of ['john doe', 'a [b] c', 'x - y', '[22/Nov/2020:10:22:00 +0000]', '', ' ', '- [', '-'])
      expect(parsed(COMBINED.replace('- - [', `- ${user} [`))).toMatchObject({
        remoteAddr: '192.0.2.1',
        remoteUser: user === '-' ? undefined : user,
        timeLocal: Date.UTC(2026, 10, 22, 10, 22),
      })
  })

  test('takes brackets and escaped quotes in every quoted field', () => {
    const line = COMBINED.replace('"-" "Mozilla/5.0"', '"http://x/[1] \\x22" "UA [x] \\x5C \\x22q\\x22" "[::1]"')
    expect(parsed(line)).toMatchObject({ referer: 'http://x/[1] "', userAgent: 'UA [x] \\ "q"', forwardedFor: '[::1]' })
  })

  test('reads an empty and a garbage request line', () => {
    const request = (text: string, status: string) =>
      parsed(COMBINED.replace('"GET /5?e_c=a HTTP/1.1" 204', `"${text}" ${status}`))
    expect(request('', '400')).toMatchObject({ request: '', status: 400 })
    expect(request('\\x16\\x03\\x01\\x02\\x00', '400').request).toBe('\x16\x03\x01\x02\0')
    expect(request('GET /5', '009')).toMatchObject({ request: 'GET /5', status: 9 })
    expect(request('GET http://h.example/5?a=b HTTP/1.1', '204').request).toBe('GET http://h.example/5?a=b HTTP/1.1')
  })

  test('tells an empty variable from a missing one', () => {
    expect(parsed(COMBINED.replace('"-"', '""'))).toMatchObject({ referer: '' })
    expect(parsed(COMBINED)).toMatchObject({ referer: undefined })
  })

  test('reads the zone of the time', () => {
    const at = (time: string) => parseLogLine(COMBINED.replace('22/Nov/2026:10:22:00 +0000', time))
    expect(at('22/Nov/2026:19:22:00 +0900')).toMatchObject({ timeLocal: Date.UTC(2026, 10, 22, 10, 22) })
    expect(at('21/Nov/2026:23:52:00 -1030')).toMatchObject({ timeLocal: Date.UTC(2026, 10, 22, 10, 22) })
    expect(at('29/Feb/2028:00:00:00 +0000')).toMatchObject({ timeLocal: Date.UTC(2028, 1, 29) })
    for (const bad of [
      '29/Feb/2027:00:00:00 +0000',
      '00/Nov/2026:10:22:00 +0000',
      '22/Nix/2026:10:22:00 +0000',
      '22/nov/2026:10:22:00 +0000',
      '22/Nov/2026:24:22:00 +0000',
      '22/Nov/2026:10:60:00 +0000',
      '22/Nov/2026:10:22:00 *0000',
      '22/Nov/2026:10:22:00 +00x0',
      '22/Nov/2026 10:22:00 +0000',
      '2026-11-22T10:22:00+00:00',
      '',
    ])
      expect(at(bad), bad).toEqual({ rejected: 'bad_time' })
  })

  test('rejects a time between two lines with a good one, which is kept ready', () => {
    expect(parseLogLine(COMBINED)).toHaveProperty('timeLocal')
    expect(parseLogLine(COMBINED.replace('Nov/2026', 'Nov/20x6'))).toEqual({ rejected: 'bad_time' })
    expect(parseLogLine(COMBINED)).toHaveProperty('timeLocal')
  })

  test('rejects a $msec that is none', () => {
    for (const msec of ['1795342920', '1795342920.12', '1795342920.1234', 'x.123', '.123', '', '17953429201234.123'])
      expect(parseLogLine(`${COMBINED} "-" ${REQUEST_ID} ${msec} "-"`), msec).toEqual({ rejected: 'bad_time' })
  })

  test('rejects lines of other formats', () => {
    for (const line of [
      '',
      ' ',
      '-',
      '\0'.repeat(100),
      'hello',
      '192.0.2.1 - - [22/Nov/2026:10:22:00 +0000]',
      COMBINED.replace('204 0', '204'),
      COMBINED.replace('204 0', '204 x'),
      COMBINED.replace('204 0', '2 04 0'),
      COMBINED.replace('204 0', '20400 0'),
      COMBINED.replace(' "Mozilla/5.0"', ''),
      `${COMBINED} 0.003`,
      `${COMBINED} "-" 0.003`,
      `${COMBINED} "-" ${REQUEST_ID} 1795342920.123 "-" x`,
      `${COMBINED}\r`,
      '192.0.2.1 [22/Nov/2026:10:22:00 +0000] "GET /5 HTTP/1.1" 204 0 "-" "-"',
      '<134>Nov 22 10:22:00 host nginx: x',
    ])
      expect(parseLogLine(line), line).toEqual({ rejected: 'bad_line' })
  })

  test('reads a whole line glued to one that was cut before its request, and rejects all others that are glued', () => {
    const whole = `${COMBINED} "-" ${REQUEST_ID} 1795342920.123 "-"`
    const cutLine = whole.replace('/5?e_c=a', '/6?e_c=cut').replace('"Mozilla/5.0"', '"Mozilla [5] - x"')
    for (let cut = 1; cut < cutLine.length; cut++) {
      const glued = parseLogLine(cutLine.slice(0, cut) + whole)
      if (cut <= cutLine.indexOf('"'))
        expect(glued).toMatchObject({ request: 'GET /5?e_c=a HTTP/1.1', requestId: REQUEST_ID })
      else expect(glued).toEqual({ rejected: 'bad_line' })
    }
  })

  test('reads a cut line only where the cut leaves a shorter format', () => {
    const full = `${COMBINED} "-" ${REQUEST_ID} 1795342920.123 "-"`
    const whole: number[] = []
    for (let cut = 0; cut < full.length; cut++) if (!('rejected' in parseLogLine(full.slice(0, cut)))) whole.push(cut)
    expect(whole).toEqual([COMBINED.length, COMBINED.length + 4])
  })

  test('rejects a line of more than 1 MiB', () => {
    const pad = 'x'.repeat(MAX_LINE_BYTES - COMBINED.length)
    expect(parseLogLine(COMBINED.replace('Mozilla/5.0', `Mozilla/5.0${pad}`))).toHaveProperty('status', 204)
    expect(parseLogLine(COMBINED.replace('Mozilla/5.0', `Mozilla/5.0${pad}x`))).toEqual({ rejected: 'line_too_long' })
  })

  test('never throws, whatever bytes come', () => {
    const template = `${COMBINED} "-" ${REQUEST_ID} 1795342920.123 "a=b"`
    fc.assert(fc.property(bytes(200), line => void parseLogLine(line)))
    fc.assert(
      fc.property(fc.nat(template.length), fc.nat(template.length), bytes(5), (from, to, inserted) => {
        parseLogLine(template.slice(0, from) + inserted + template.slice(to))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('formatLogLine', () => {
  test('writes what NGINX writes', () => {
    const record = parsed(COMBINED)
    expect(
      formatLogLine({ ...record, remoteUser: 'J"R', request: 'GET /5?\xea%\\ HTTP/1.1', status: 9 }, 'combined'),
    ).toBe('192.0.2.1 - J\\x22R [22/Nov/2026:10:22:00 +0000] "GET /5?\\xEA%\\x5C HTTP/1.1" 009 0 "-" "Mozilla/5.0"')
    expect(formatLogLine({ ...record, requestId: REQUEST_ID, msec: 1795342920003, requestBody: '' }, 'headwater')).toBe(
      `${COMBINED} "-" ${REQUEST_ID} 1795342920.003 ""`,
    )
  })
})
