import { derivedField } from './derived-field.ts'
import type { Event } from './event.ts'
import { EventFields } from './event-fields.ts'
import { type FieldReader, fieldMeaning } from './field-name.ts'
import { keptFields } from './kept-fields.ts'
import { type Member, memberAttribute } from './member.ts'
import { compileOperator, operatorName } from './operators.ts'
import type { KeptColumn } from './plain-outcome.ts'
import type { Scenario, ScenarioFilter, ScenarioFilterGroup } from './scenario.ts'
import { zoneClock } from './zone-clock.ts'

export interface CompileOptions {
  /** Names that mean the member, also for visitors without a member record. */
  memberColumns: ReadonlySet<string>
  /** The zone of a scenario that names none: its site's, else the configured one. */
  timezone: string
  /** Scenarios compiled with the same one share a single pass over each event. Default: one of its own. */
  fields?: EventFields
}

export interface CompiledScenario {
  scenario: Scenario
  /** Whether `test` or `keep` reads the member. */
  needsMember: boolean
  /** Whether the event is a success. */
  test(event: Event, member: Member | undefined): boolean
  /** The kept fields as name, value pairs; each name once, none of them reserved. */
  keep(event: Event, member: Member | undefined): string[]
  /** Where `testRead` and `keepRead` find the event: they are `test` and `keep` of the event that `fields` read last. */
  readonly fields: EventFields
  testRead(member: Member | undefined): boolean
  keepRead(event: Event, member: Member | undefined): string[]
  /** What `keepRead` keeps, field by field; `undefined` when that depends on the event's parameters. */
  readonly columns: readonly KeptColumn[] | undefined
}

type Predicate = (member: Member | undefined) => boolean

/**
 * Makes a scenario runnable: a predicate over event and member, and a projection. Reads no clock and nothing outside.
 * Throws a RangeError for what `parseScenario` would not have let through (unknown operator, bad pattern, unknown zone).
 */
export function compileScenario(scenario: Scenario, options: CompileOptions): CompiledScenario {
  const fields = options.fields ?? new EventFields()
  const clock = zoneClock(scenario.timezone ?? options.timezone)
  let needsMember = false

  function reader(name: string): FieldReader {
    const meaning = fieldMeaning(name, options.memberColumns)
    if (meaning.of === 'member') {
      needsMember = true
      return member => memberAttribute(member, meaning.name)
    }
    const derived = meaning.of === 'derived' ? derivedField(meaning.name, clock) : undefined
    const slot = derived === undefined ? fields.param(meaning.name) : fields.derived(derived.key, derived.of)
    return () => fields.get(slot)
  }

  /** Gives which parameter of a plain event has the value of a name. */
  function index(name: string): () => number {
    const meaning = fieldMeaning(name, options.memberColumns)
    if (meaning.of !== 'event') return () => -1
    const slot = fields.param(meaning.name)
    return () => fields.indexOf(slot)
  }

  const testRead = group(scenario, reader)
  const { keep, columns } = keptFields(scenario.log_format, options.memberColumns, reader, index)
  return {
    scenario,
    needsMember,
    fields,
    testRead,
    keepRead: keep,
    columns,
    test(event, member) {
      fields.read(event)
      return testRead(member)
    },
    keep(event, member) {
      fields.read(event)
      return keep(event, member)
    },
  }
}

/** A group without conditions is true, with AND and with OR: no filter, every event succeeds. */
function group({ logical_operator, filters }: ScenarioFilterGroup, reader: (name: string) => FieldReader): Predicate {
  const parts = filters.map(part => ('filters' in part ? group(part, reader) : condition(part, reader)))
  const [first, second, third] = parts
  if (first === undefined) return () => true
  if (parts.length === 1) return first
  if (logical_operator === 'AND') {
    if (parts.length === 2 && second) return member => first(member) && second(member)
    if (parts.length === 3 && second && third) return member => first(member) && second(member) && third(member)
    return member => {
      for (const part of parts) if (!part(member)) return false
      return true
    }
  }
  return member => {
    for (const part of parts) if (part(member)) return true
    return false
  }
}

/** A missing left side makes every operator false except `not_exists`. */
function condition({ left, operator, right }: ScenarioFilter, reader: (name: string) => FieldReader): Predicate {
  const read = reader(left)
  const name = operatorName(operator)
  if (name === 'not_exists') return member => read(member) === undefined
  const test = compileOperator(name ?? operator, right)
  return member => {
    const value = read(member)
    return value !== undefined && test(value)
  }
}
