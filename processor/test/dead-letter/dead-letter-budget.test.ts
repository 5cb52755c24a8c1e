import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DeadLetterBudget, deadLetterBytes } from '../../src/dead-letter-budget.ts'
import { deadLetterLine } from '../../src/sinks/dead-letter-sink.ts'

const HOUR = 3_600_000

describe('DeadLetterBudget', () => {
  it('keeps what fits into the hour, and begins anew with the next', () => {
    const budget = new DeadLetterBudget(1000)
    expect([400, 400, 400, 200, 1].map(bytes => budget.take(bytes, HOUR))).toEqual([true, true, false, true, false])
    expect(budget.take(1000, 2 * HOUR)).toBe(true)
  })

  it('spends from the present hour for a letter of an earlier one', () => {
    const budget = new DeadLetterBudget(100)
    expect(budget.take(100, 5 * HOUR)).toBe(true)
    expect(budget.take(1, 4 * HOUR)).toBe(false)
    expect(budget.take(1, 5 * HOUR)).toBe(false)
  })

  it('keeps nothing with a budget of 0', () => {
    expect(new DeadLetterBudget(0).take(1, HOUR)).toBe(false)
  })

  it('counts at least what the line takes in its file', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 300 }), codes => {
        const raw = String.fromCharCode(...codes)
        const value = JSON.stringify({
          reason: 'line_too_long',
          source: 'log',
          position: 2 ** 50,
          index: 499,
          at: 1.78e12,
          raw,
        })
        const line = deadLetterLine({
          offset: 2 ** 50,
          order: { generation: 3, position: 2 ** 50, index: 499, scenarioId: 0 },
          arrivedAt: 1.78e12,
          value: Buffer.from(value),
        })
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(deadLetterBytes(raw))
      }),
    )
  })
})
