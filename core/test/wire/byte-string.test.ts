import { decodeUtf8, encodeUtf8, escapeNginx, unescapeNginx } from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cutToUtf8Bytes, wellFormed } from '../../src/utf8.ts'
import { bytes, text } from './arbitrary-bytes.ts'

describe("NGINX's escaping", () => {
  test('writes control bytes, quote, backslash and all from 0x7F as upper-case \\xXX', () => {
    const all = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')
    const escaped = escapeNginx(all)
    expect(escaped).toMatch(/^[\x20-\x7e]*$/)
    expect(escaped).toContain('\\x00\\x01')
    expect(escaped).toContain('\\x1F !\\x22#')
    expect(escaped).toContain('[\\x5C]')
    expect(escaped).toContain('~\\x7F\\x80')
    expect(escaped.endsWith('\\xFF')).toBe(true)
    expect(unescapeNginx(escaped)).toBe(all)
  })

  test('is reversible for any bytes', () => {
    fc.assert(fc.property(bytes(), value => unescapeNginx(escapeNginx(value)) === value))
  })

  test('leaves what is no escape as it is', () => {
    for (const odd of ['\\', '\\x', '\\x4', '\\xg0', '\\\\', '\\n', '\\u0041', 'a\\x\\x4'])
      expect(unescapeNginx(odd)).toBe(odd)
    expect(unescapeNginx('\\x4\\x41')).toBe('\\x4A')
    expect(unescapeNginx('\\xe9\\xE9')).toBe('\xe9\xe9')
  })
})

describe('UTF-8', () => {
  test('of any text is what TextEncoder gives', () => {
    const encoder = new TextEncoder()
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map(unit => String.fromCharCode(unit)) }),
        value => {
          expect(encodeUtf8(value)).toBe(Buffer.from(encoder.encode(value)).toString('latin1'))
        },
      ),
    )
    fc.assert(fc.property(text(), value => decodeUtf8(encodeUtf8(value)) === value))
  })

  test('of any bytes reads as TextDecoder reads it', () => {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    const near = fc.constantFrom(
      0x41,
      0x80,
      0x8f,
      0x90,
      0x9f,
      0xa0,
      0xbf,
      0xc0,
      0xc1,
      0xc2,
      0xdf,
      0xe0,
      0xed,
      0xef,
      0xf0,
      0xf4,
      0xf5,
      0xff,
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(near, fc.integer({ min: 0, max: 255 })), { maxLength: 12 }), codes => {
        expect(decodeUtf8(String.fromCharCode(...codes))).toBe(decoder.decode(Uint8Array.from(codes)))
      }),
      { numRuns: 2000 },
    )
  })

  test('longer than every buffer stays whole', () => {
    const long = '가나다\u{1f600}'.repeat(5000)
    expect(decodeUtf8(encodeUtf8(long))).toBe(long)
  })

  test('is cut at a character, never inside one', () => {
    expect(cutToUtf8Bytes('가나다', 8)).toBe('가나')
    expect(cutToUtf8Bytes('가나다', 9)).toBe('가나다')
    expect(cutToUtf8Bytes('a\u{1f600}b', 4)).toBe('a')
    expect(cutToUtf8Bytes('a\u{1f600}b', 5)).toBe('a\u{1f600}')
    fc.assert(
      fc.property(text(30), fc.nat(60), (value, max) => {
        const cut = cutToUtf8Bytes(value, max)
        const next = [...value.slice(cut.length)][0]
        expect(value.startsWith(cut)).toBe(true)
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(max)
        if (next !== undefined) expect(Buffer.byteLength(cut + next)).toBeGreaterThan(max)
      }),
    )
  })

  test('has no lone surrogates after wellFormed', () => {
    expect(wellFormed('a\ud800b\udc00')).toBe('a\ufffdb\ufffd')
    expect(wellFormed('\u{1f600}')).toBe('\u{1f600}')
    expect(wellFormed('\ud83d\ud83d\ude00')).toBe('\ufffd\u{1f600}')
  })
})
