import type { Event, Outcome } from '@headwater/core'
import fc from 'fast-check'
import type { DeadLetter, JudgedBatch, JudgedEvent } from '../../src/ports.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('고면할당하기', 'a\nb', '\ud800', 'HWF2', ''),
)

/** How much one input range yields: the outcomes of each event, and dead letters. */
export interface BatchShape {
  outcomes: number[]
  deadLetters: number
  text: string
}

export const batchShape: fc.Arbitrary<BatchShape> = fc.record({
  outcomes: fc.array(fc.nat({ max: 3 }), { maxLength: 4 }),
  deadLetters: fc.nat({ max: 2 }),
  text,
})

/** The batch of a shape that follows on `from`, every value of it telling its place. */
export function judgedBatch(shape: BatchShape, from: number, arrivedAt: number): JudgedBatch {
  const events = shape.outcomes.map((count, i): JudgedEvent => {
    const position = from + i * 10
    const event: Event = {
      eventId: `event-${position}`,
      scenarioId: 5,
      siteId: undefined,
      receivedAt: arrivedAt - i,
      date: arrivedAt - i,
      visitorId: undefined,
      memberId: undefined,
      ip: '127.0.0.1',
      userAgent: shape.text,
      params: ['e_n', shape.text],
    }
    const outcomes = Array.from(
      { length: count },
      (_, n): Outcome => ({
        eventId: event.eventId,
        scenarioId: n + 1,
        scenarioVersion: 1,
        judgingVersion: 1,
        success: n % 2 === 0 ? 1 : 0,
        date: event.date,
        receivedAt: event.receivedAt,
        fields: ['e_n', shape.text],
      }),
    )
    return { position, index: i % 2, idHigh: (position * 7919) >>> 0, idLow: 0xffffffff - position, event, outcomes }
  })
  const deadLetters = Array.from({ length: shape.deadLetters }, (_, i): DeadLetter => {
    return { position: from + 50 + i, index: 0, reason: 'bad_line', raw: `\x00\xff${i}`, at: arrivedAt }
  })
  return { partition: 0, from, to: from + 100, arrivedAt, events, deadLetters }
}
