import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gzipCodec } from '../../src/kafka/gzip-codec.ts'

/** As records are: a record begins with its length, which is positive, so zigzag makes the first byte even. */
const contents = fc.uint8Array({ maxLength: 5_000 }).map(bytes => {
  if (bytes.length > 0) bytes[0] = bytes[0]! & 0xfe
  return Buffer.from(bytes)
})

describe('the gzip codec', () => {
  test('writes what gzip reads, and reads what gzip writes', async () => {
    await fc.assert(
      fc.asyncProperty(contents, async content => {
        expect(gunzipSync(await gzipCodec.compress({ buffer: content }))).toEqual(content)
        expect(await gzipCodec.decompress(gzipSync(content))).toEqual(content)
      }),
      { numRuns: 30 },
    )
  })

  test('leaves what is compressed already as it is', async () => {
    const compressed = gzipSync('records')
    expect(await gzipCodec.compress({ buffer: compressed })).toBe(compressed)
  })

  test('reads a batch whatever length its end says', async () => {
    const first = Buffer.alloc(300_000, 'first ')
    const second = Buffer.from('second')
    // Two members: the last four bytes are the length of the second.
    const bytes = Buffer.concat([gzipSync(first), gzipSync(second)])
    expect((await gzipCodec.decompress(bytes)).equals(Buffer.concat([first, second]))).toBe(true)
  })

  test('reads a batch that is longer than one step', async () => {
    const content = Buffer.alloc(9_000_000, 'long ')
    expect((await gzipCodec.decompress(gzipSync(content))).equals(content)).toBe(true)
  })

  test('rejects a batch that is damaged', async () => {
    const bytes = gzipSync(Buffer.from('whole'))
    bytes.writeUInt32LE(0xffffffff, bytes.length - 4)
    await expect(gzipCodec.decompress(bytes)).rejects.toThrow(/incorrect/)
    await expect(gzipCodec.decompress(Buffer.from('xy'))).rejects.toThrow()
  })
})
