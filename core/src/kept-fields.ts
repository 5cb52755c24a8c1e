import type { Event } from './event.ts'
import { eventName, type FieldReader, fieldMeaning } from './field-name.ts'
import { JsonBytes } from './json-bytes.ts'
import type { Member } from './member.ts'
import { isReservedName } from './outcome.ts'
import type { KeptColumn } from './plain-outcome.ts'
import type { Scenario } from './scenario.ts'

/** Whoever sends ever new or long names takes no more memory than this. */
const MAX_REMEMBERED = 1000
const MAX_REMEMBERED_CHARS = 100

export interface KeptFields {
  /** The kept fields of an event, as name, value pairs. */
  keep(event: Event, member: Member | undefined): string[]
  /** What is kept of every event, field by field; `undefined` when that depends on the event's parameters. */
  columns: readonly KeptColumn[] | undefined
}

/**
 * What `log_format` keeps. A kept name means what it means in a filter: `age` of a member table with that column is the
 * member's, `browser` is derived, `event.age` is the URL's. Fields that are missing are left out.
 *
 * With `"*": 1` all parameters of the event are kept, in their order, save those named 0, and after them what is named 1.
 * The star never keeps member attributes or derived values: those are named one by one. A parameter whose plain name
 * means something else, or is reserved, is kept as `event.<name>`.
 */
export function keptFields(
  logFormat: Scenario['log_format'],
  memberColumns: ReadonlySet<string>,
  reader: (name: string) => FieldReader,
  index: (name: string) => () => number,
): KeptFields {
  const names = Object.keys(logFormat).filter(name => name !== '*')
  // `date` is the outcome's own, and always there: statistics and archive go by it.
  const kept = names.filter(name => logFormat[name] === 1 && name !== 'date')
  const columns = kept.map((name): KeptColumn => {
    const keptName = outcomeName(name)
    return { name: keptName, json: nameJson(keptName), read: reader(name), index: index(name) }
  })
  if (logFormat['*'] !== 1) {
    const keep = (_event: Event, member: Member | undefined): string[] => {
      const fields: string[] = []
      for (const { name, read } of columns) {
        const value = read(member)
        if (value !== undefined) fields.push(name, value)
      }
      return fields
    }
    return { keep, columns }
  }

  const removed = new Set(names.filter(name => logFormat[name] === 0))
  /** Parameters seen, and the names they are kept under: a site's are always the same few. `null`: removed. */
  const known = new Map<string, string | null>()
  const keptName = (param: string): string | null => {
    let name = known.get(param)
    if (name === undefined) {
      name = removed.has(param) || removed.has(eventName(param)) ? null : nameUnderStar(param, memberColumns)
      if (param.length <= MAX_REMEMBERED_CHARS) {
        if (known.size >= MAX_REMEMBERED) known.clear()
        known.set(param, name)
      }
    }
    return name
  }
  const readHour = reader('h')
  const keep = (event: Event, member: Member | undefined): string[] => {
    const fields = new Map<string, string>()
    const { params } = event
    for (let i = 0; i + 1 < params.length; i += 2) {
      const param = params[i] as string
      const name = keptName(param)
      if (name === null) continue
      const value = param === 'h' && !memberColumns.has('h') ? readHour(member) : params[i + 1]
      if (value !== undefined) fields.set(name, value)
    }
    for (const { name, read } of columns) {
      const value = read(member)
      if (value !== undefined) fields.set(name, value)
    }
    const pairs: string[] = []
    for (const [name, value] of fields) pairs.push(name, value)
    return pairs
  }
  return { keep, columns: undefined }
}

function nameJson(name: string): Uint8Array {
  const out = new JsonBytes(64)
  out.text(name)
  out.ascii(':')
  return out.bytes.slice(0, out.length)
}

function outcomeName(name: string): string {
  return isReservedName(name) ? eventName(name) : name
}

/** `h` and `memberId` are derived from the parameters of these names, so the plain name says no other thing. */
function nameUnderStar(param: string, memberColumns: ReadonlySet<string>): string {
  if (isReservedName(param)) return eventName(param)
  const meaning = fieldMeaning(param, memberColumns)
  if (meaning.of === 'event' && meaning.name === param) return param
  if (meaning.of === 'derived' && (param === 'h' || param === 'memberId')) return param
  return eventName(param)
}
