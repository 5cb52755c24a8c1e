import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { MAX_DEAD_LETTER_BYTES, MAX_LINE_BYTES } from '@headwater/core'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { logFileLines } from '../../src/replay/log-file-lines.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'headwater-lines-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

async function linesOf(content: Buffer): Promise<{ lines: string[]; tooLong: number[] }> {
  const file = join(dir, 'a.log')
  await writeFile(file, content)
  const lines: string[] = []
  const tooLong: number[] = []
  for await (const part of logFileLines(file)) {
    tooLong.push(...part.tooLong.map(i => i + lines.length))
    lines.push(...part.lines)
    expect(part.doneBytes).toBeLessThanOrEqual(content.length)
  }
  return { lines, tooLong }
}

describe('The lines of a log file', () => {
  it('are those between the newlines, the last one too, packed or not, in one gzip member or several', async () => {
    const bytes = fc.array(fc.constantFrom('\n', 'a', 'bc', '\xff', '\0', '"'.repeat(300)), { maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(bytes, bytes, async (a, b) => {
        const text = a.join('') + b.join('')
        const expected = text.split('\n')
        if (expected.at(-1) === '') expected.pop()
        const latin1 = (parts: string[]) => Buffer.from(parts.join(''), 'latin1')
        // Two bytes that would say gzip are no log line's.
        expect((await linesOf(latin1([...a, ...b]))).lines).toEqual(expected)
        expect((await linesOf(Buffer.concat([gzipSync(latin1(a)), gzipSync(latin1(b))]))).lines).toEqual(expected)
      }),
      { numRuns: 30 },
    )
  })

  it('over 1 MiB are cut and told, wherever they stand, and those around them are whole', async () => {
    const long = 'x'.repeat(MAX_LINE_BYTES + 1)
    const whole = 'y'.repeat(MAX_LINE_BYTES)
    const cut = long.slice(0, MAX_DEAD_LETTER_BYTES)
    const { lines, tooLong } = await linesOf(Buffer.from([long, 'a', long.repeat(3), whole, 'b', long].join('\n')))
    expect(tooLong).toEqual([0, 2, 5])
    expect(lines.map(line => line.length)).toEqual([cut.length, 1, cut.length, whole.length, 1, cut.length])
  })

  it('of a cut gzip file, of another packer, of no file: an error says so', async () => {
    await expect(linesOf(gzipSync(Buffer.from('a\n'.repeat(9_999))).subarray(0, -12))).rejects.toThrow(
      /a\.log must be a log file .*unexpected end of file/,
    )
    await expect(linesOf(Buffer.from('28b52ffd00', 'hex'))).rejects.toThrow(/zstd -d .*a\.log/)
    await expect(async () => {
      for await (const _ of logFileLines(join(dir, 'none.log'))) expect.unreachable()
    }).rejects.toThrow(/none\.log must be a log file .*ENOENT/)
  })
})
