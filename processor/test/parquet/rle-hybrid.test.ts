import fc from 'fast-check'
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js'
import { describe, expect, it } from 'vitest'
import { PageBuffer } from '../../src/parquet/page-buffer.ts'
import { appendHybrid, bitWidth } from '../../src/parquet/rle-hybrid.ts'

describe('RLE / bit-packing hybrid', () => {
  it('gives back every sequence, read by hyparquet', () => {
    const width = fc.integer({ min: 1, max: 24 })
    const values = width.chain(bits =>
      fc.tuple(
        fc.constant(bits),
        fc.array(
          fc.tuple(
            fc.integer({ min: 0, max: 2 ** bits - 1 }),
            fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 70 })),
          ),
          { minLength: 1, maxLength: 40 },
        ),
      ),
    )
    fc.assert(
      fc.property(values, ([bits, runs]) => {
        const list = Int32Array.from(runs.flatMap(([value, times]) => new Array<number>(times).fill(value)))
        const out = new PageBuffer(16)
        appendHybrid(out, list, list.length, bits)
        const bytes = Uint8Array.from(out.view())
        const read = new Array<number>(list.length)
        readRleBitPackedHybrid({ view: new DataView(bytes.buffer), offset: 0 }, bits, read, bytes.length)
        expect(read).toEqual([...list])
      }),
    )
  })

  it('writes a long run of one value in a few bytes', () => {
    const out = new PageBuffer(16)
    appendHybrid(out, new Int32Array(100_000).fill(1), 100_000, 1)
    expect(out.length).toBeLessThan(8)
  })

  it('needs no bits for one value and 17 for 2^16 + 1', () => {
    expect([0, 1, 2, 3, 255, 256, 65_536].map(bitWidth)).toEqual([0, 1, 2, 2, 8, 9, 17])
  })
})
