import { isoDate, JsonBytes, parseIsoDateBytes } from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const utf8 = (out: JsonBytes): string => new TextDecoder().decode(out.bytes.subarray(0, out.length))

describe('JsonBytes', () => {
  it('writes any text as JSON.stringify does, growing as it must', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\ud800', 'a\udc00', '\x7f', '\u2028', '"\\')),
        ),
        texts => {
          const out = new JsonBytes(1)
          for (const text of texts) out.text(text)
          expect(utf8(out)).toBe(texts.map(text => JSON.stringify(text)).join(''))
          expect(out.toString()).toBe(utf8(out))
        },
      ),
    )
  })

  it('writes any UTF-16, lone halves of pairs too', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff })), units => {
        const text = String.fromCharCode(...units)
        const out = new JsonBytes(1)
        out.text(text)
        expect(utf8(out)).toBe(JSON.stringify(text))
      }),
    )
  })

  it('writes any date as isoDate does, and reads it back', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.double(), fc.integer({ min: 0, max: 253_402_300_799_999 }))), dates => {
        for (const date of dates) {
          const out = new JsonBytes(1)
          out.date(date)
          expect(utf8(out)).toBe(`"${isoDate(date)}"`)
          expect(parseIsoDateBytes(out.bytes, 1)).toBe(Date.parse(isoDate(date)))
        }
      }),
    )
  })
})
