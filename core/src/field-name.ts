import { DERIVED_NAMES } from './derived-field.ts'
import type { Member } from './member.ts'

/** What a name in `left` or `log_format` speaks of. */
export type FieldMeaning =
  | { of: 'event'; name: string }
  | { of: 'member'; name: string }
  | { of: 'derived'; name: string }

/** Reads a named value from the member and the event that was read last; `undefined` when it is missing. */
export type FieldReader = (member: Member | undefined) => string | undefined

const EVENT_PREFIX = 'event.'
const MEMBER_PREFIX = 'member.'

/**
 * The meaning of a name, in this order: `event.<name>` and `member.<name>` say it themselves; `memberId` is always the
 * event's; a column of the member table is the member's, whether there is a member or not, so nobody can forge `age` in
 * a URL; derived names (`h`, `browser`, `query.<name>`, …); all else is an event parameter.
 */
export function fieldMeaning(name: string, memberColumns: ReadonlySet<string>): FieldMeaning {
  if (name.startsWith(EVENT_PREFIX)) return { of: 'event', name: name.slice(EVENT_PREFIX.length) }
  if (name.startsWith(MEMBER_PREFIX)) return { of: 'member', name: name.slice(MEMBER_PREFIX.length) }
  if (name === 'memberId') return { of: 'derived', name }
  if (memberColumns.has(name)) return { of: 'member', name }
  if (DERIVED_NAMES.includes(name) || (name.startsWith('query.') && name.length > 6)) return { of: 'derived', name }
  return { of: 'event', name }
}

/** The name that says "the event's parameter", whatever else the plain name means. */
export function eventName(param: string): string {
  return EVENT_PREFIX + param
}
