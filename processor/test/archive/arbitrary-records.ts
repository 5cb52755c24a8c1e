import { type Event, isReservedName, type Outcome } from '@headwater/core'
import fc from 'fast-check'

/** Any text, with quotes, escapes, NUL, lone surrogates and texts like names of columns. */
const anyText = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc
    .array(fc.constantFrom('"', '\\', '\0', '\u001f', '\ud800', '\udc00', '한', '😀', '/', '\u2028', 'a'), {
      maxLength: 8,
    })
    .map(parts => parts.join('')),
)
const anyName = fc.oneof(
  fc.constantFrom('e_c', 'e_a', 'url', '_id', '_idn', 'h', 'memberId', 'uid', 'idsite', 'hw_id', 'params', 'event_id'),
  fc.constantFrom('__proto__', '1', 'date', 'success', 'source_offset', 'e_', 'e_cc', '', 'event.date'),
  anyText,
)
const anyTime = fc.integer({ min: 0, max: 253_402_300_799_999 })
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })

export const anyEvent: fc.Arbitrary<Event> = fc
  .record({
    eventId: anyText,
    scenarioId: optional(fc.nat()),
    siteId: optional(fc.oneof(fc.nat(20), fc.constantFrom(2 ** 53 - 1, 2 ** 53, 1e21, 1.5, -1))),
    receivedAt: anyTime,
    date: anyTime,
    visitorId: optional(anyText),
    memberId: optional(anyText),
    ip: anyText,
    userAgent: anyText,
    pairs: fc.array(fc.tuple(anyName, anyText), { maxLength: 12 }),
    // Parameters that say what a column says.
    same: fc.subarray(['_id', 'memberId', 'idsite', 'hw_id']),
  })
  .map(({ pairs, same, ...event }) => {
    const said: Record<string, string | undefined> = {
      _id: event.visitorId,
      memberId: event.memberId,
      idsite: event.siteId === undefined ? undefined : String(event.siteId),
      hw_id: event.eventId,
    }
    return { ...event, params: [...pairs.flat(), ...same.flatMap(name => [name, said[name] ?? ''])] }
  })

export const anyOutcome: fc.Arbitrary<Outcome> = fc.record({
  eventId: anyText,
  scenarioId: fc.nat(),
  scenarioVersion: fc.nat(),
  judgingVersion: fc.nat(),
  success: fc.constantFrom<0 | 1>(0, 1),
  date: anyTime,
  receivedAt: anyTime,
  // Each name once and none reserved, as `Outcome.fields` promises.
  fields: fc
    .uniqueArray(fc.tuple(anyName, anyText), {
      selector: ([name]) => name.replace(/\p{Surrogate}/gu, '\ufffd'),
      maxLength: 12,
    })
    .map(pairs => pairs.filter(([name]) => !isReservedName(name)).flat()),
})
