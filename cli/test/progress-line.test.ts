import { describe, expect, it } from 'vitest'
import { progressLine, progressText } from '../src/progress-line.ts'

function stream(isTTY: boolean): { written: string[]; stream: NodeJS.WriteStream } {
  const written: string[] = []
  const fake = { isTTY, columns: 40, write: (text: string) => written.push(text) > 0 }
  return { written, stream: fake as unknown as NodeJS.WriteStream }
}

describe('progress', () => {
  it('says how much, how fast and how long still', () => {
    expect(progressText(1_200_000, 0.6, 3_000, 'rows')).toBe('1200000 rows · 60 % · 400000 rows/s · 2 s left')
    expect(progressText(10, 0.01, 60_000, 'rows')).toBe('10 rows · 1 % · 0 rows/s · 99 min left')
    expect(progressText(10, 1, 1_000, 'rows')).toBe('10 rows · 100 % · 10 rows/s')
  })

  it('is one line that changes on a terminal, cut to its width', () => {
    const { written, stream: terminal } = stream(true)
    let now = 0
    const line = progressLine(terminal, 'rows', () => now)
    for (const share of [0.1, 0.2, 0.3, 1]) {
      now += 60
      line.show(share * 1000, share)
    }
    line.end()
    line.end()
    expect(written).toHaveLength(4) // every 100 ms, the last one, and one newline
    expect(written.every(text => text === '\n' || text.startsWith('\r\u001b[2K'))).toBe(true)
    expect(Math.max(...written.map(text => text.length))).toBeLessThanOrEqual(39 + 5)
  })

  it('is a plain line every ten seconds elsewhere', () => {
    const { written, stream: pipe } = stream(false)
    let now = 0
    const line = progressLine(pipe, 'rows', () => now)
    for (let i = 1; i <= 25; i++) {
      now += 1_000
      line.show(i, i / 25)
    }
    line.end()
    expect(written).toEqual(['10 rows · 40 % · 1 rows/s · 15 s left\n', '20 rows · 80 % · 1 rows/s · 5 s left\n'])
  })
})
