import { z } from 'zod'
import { nearestName } from './nearest-name.ts'
import { needsRight, OPERATORS, operatorName, rightFault } from './operators.ts'
import type { Scenario, ScenarioFilter, ScenarioFilterGroup } from './scenario.ts'
import { isTimeZone } from './zone-clock.ts'

/** `faults`: one sentence each, with the path, what was expected and what was found. */
export type ScenarioParse = { ok: true; scenario: Scenario } | { ok: false; faults: string[] }

/** Groups within groups below the scenario's own list. */
const MAX_DEPTH = 5
/** Filters in all groups together. */
const MAX_FILTERS = 100
const MAX_KEPT_FIELDS = 200
/** Lengths in UTF-16 units. */
const MAX_TITLE = 200
const MAX_MANAGER = 100
const MAX_NAME = 200
const MAX_RIGHT = 8192
/** The largest id that MariaDB's INT and the archive's columns hold. */
const MAX_ID = 2_147_483_647
/** A definition may be wrong in thousands of places; nobody reads more than these. */
const MAX_FAULTS = 50

// Every message says what is expected; `parseScenario` puts path and finding around it.

const id = z.int('a whole number').min(1, 'at least 1').max(MAX_ID, `at most ${MAX_ID}`)

const version = z.int('a whole number').min(0, 'at least 0')

const text = (max: number) => z.string('a text').max(max, `at most ${max} characters`)

const name = text(MAX_NAME)
  .min(1, 'a field name')
  .refine(field => !['event.', 'member.', 'query.'].includes(field), 'a field name behind the prefix')

const logicalOperator = z.literal(['AND', 'OR'], 'AND or OR')

const filter = z.strictObject(
  {
    left: name,
    operator: z.string('an operator').refine(operator => operatorName(operator) !== undefined, {
      error: issue => `one of ${OPERATORS.join(' ')}${didYouMean(String(issue.input), OPERATORS)}`,
    }),
    // Numbers and booleans stand for their text. `exists` has no right side.
    right: z.union([text(MAX_RIGHT), z.number(), z.boolean()], 'a text, number or boolean').optional(),
  },
  'a filter {left, operator, right} or a group {logical_operator, filters}',
)

/** What may stand in `filters` with `depth` groups around it. Unrolled, so no input can nest it further. */
function condition(depth: number): z.ZodType<ScenarioFilter | ScenarioFilterGroup> {
  const group =
    depth < MAX_DEPTH
      ? z.strictObject({
          logical_operator: logicalOperator,
          filters: conditions(depth + 1).min(1, 'at least one filter in a group'),
        })
      : undefined
  return z.unknown().transform((value, context) => {
    const fail = (issues: readonly z.core.$ZodIssue[]) => {
      for (const issue of issues) context.issues.push({ ...issue } as z.core.$ZodRawIssue)
      return z.NEVER
    }
    if (typeof value === 'object' && value !== null && ('filters' in value || 'logical_operator' in value)) {
      if (group === undefined) {
        context.issues.push({ code: 'custom', message: `at most ${MAX_DEPTH} groups within each other`, input: value })
        return z.NEVER
      }
      const result = group.safeParse(value, { reportInput: true })
      return result.success ? result.data : fail(result.error.issues)
    }
    const result = filter.safeParse(value, { reportInput: true })
    const fault = rightSideFault(value)
    if (fault !== undefined) {
      context.issues.push({ code: 'custom', path: ['right'], message: fault.message, input: fault.found })
    }
    if (!result.success) return fail(result.error.issues)
    const { left, operator, right } = result.data
    return { left, operator: operatorName(operator) ?? operator, right: right === undefined ? '' : String(right) }
  })
}

/** The part of a filter's check that takes two of its fields. It is made also when the rest of the filter is wrong. */
function rightSideFault(value: unknown): { message: string; found: unknown } | undefined {
  const { operator, right } = (value ?? {}) as { operator?: unknown; right?: unknown }
  const known = typeof operator === 'string' ? operatorName(operator) : undefined
  if (known === undefined) return undefined
  if (right === undefined) return needsRight(known) ? { message: `a value for ${known}`, found: right } : undefined
  if (typeof right === 'object' || String(right).length > MAX_RIGHT) return undefined
  const message = rightFault(known, String(right))
  return message === undefined ? undefined : { message, found: right }
}

function conditions(depth: number): z.ZodArray<z.ZodType<ScenarioFilter | ScenarioFilterGroup>> {
  return z.array(condition(depth), 'a list of filters')
}

const definition = z.strictObject(
  {
    scenario_id: id,
    title: text(MAX_TITLE).min(1, 'a title'),
    manager: text(MAX_MANAGER).default(''),
    log_format: z
      .record(name, z.literal([0, 1], '1 (keep) or 0 (remove)'), 'an object {field: 1 or 0}')
      .refine(fields => Object.keys(fields).length <= MAX_KEPT_FIELDS, `at most ${MAX_KEPT_FIELDS} fields`)
      .default({}),
    filters: conditions(0),
    logical_operator: logicalOperator.default('AND'),
    enabled: z.boolean('true or false').optional(),
    status: z.literal(['RUN', 'PAUSE'], 'RUN or PAUSE').optional(),
    site_id: id.nullable().default(null),
    timezone: z
      .string('an IANA time zone such as Asia/Seoul, or null')
      .refine(isTimeZone, 'an IANA time zone such as Asia/Seoul')
      .nullable()
      .default(null),
    version: version.default(1),
    judging_version: version.default(1),
  },
  'an object with scenario_id, title, log_format, filters and logical_operator',
)

const SCENARIO_KEYS = Object.keys(definition.shape)
const GROUP_KEYS = ['logical_operator', 'filters']
const FILTER_KEYS = Object.keys(filter.shape)

/**
 * Checks a definition as it stands in a file or request (the seeds' JSON; optional fields get their defaults), and gives
 * it in the form in which it is kept: `status` becomes `enabled`, `right` text, `!contains` `not_contains`.
 * All faults together: `filters[1].operator: expected one of == != …, did you mean contains? Found: "contain".`
 * Never throws, whatever the value is.
 */
export function parseScenario(value: unknown): ScenarioParse {
  const faults = sizeFaults(value)
  // What is too large is not looked at further: a hundred thousand patterns would take long to check.
  const result = definition.safeParse(faults.length > 0 ? withoutFilters(value) : value, { reportInput: true })
  if (!result.success) faults.push(...result.error.issues.flatMap(sentencesOf))
  const { enabled, status } = (value ?? {}) as { enabled?: unknown; status?: unknown }
  if ((enabled === true && status === 'PAUSE') || (enabled === false && status === 'RUN')) {
    faults.push(sentence('status', `to agree with enabled, which is ${enabled}`, status))
  }
  if (!result.success || faults.length > 0) return { ok: false, faults: faults.slice(0, MAX_FAULTS) }
  const { status: state, enabled: on, ...rest } = result.data
  return { ok: true, scenario: { ...rest, enabled: on ?? state !== 'PAUSE' } }
}

/** Whether `judging_version` must rise: what is judged differs (filters, operator, target, zone). */
export function judgesOtherwise(before: Scenario, after: Scenario): boolean {
  return judgementOf(before) !== judgementOf(after)
}

/** A text that is the same for definitions that judge alike, whatever the order of their JSON keys. */
function judgementOf(scenario: Scenario): string {
  return JSON.stringify([scenario.scenario_id, scenario.site_id, scenario.timezone, groupOf(scenario)])
}

function groupOf({ logical_operator, filters }: ScenarioFilterGroup): unknown[] {
  return [logical_operator, ...filters.map(part => ('filters' in part ? groupOf(part) : filterOf(part)))]
}

function filterOf({ left, operator, right }: ScenarioFilter): { filter: string[] } {
  const known = operatorName(operator) ?? operator
  return { filter: [left, known, needsRight(known) ? right : ''] }
}

/** The faults that must be known before the definition is walked through, found without recursion. */
function sizeFaults(value: unknown): string[] {
  const faults: string[] = []
  const { filters, log_format } = (value ?? {}) as { filters?: unknown; log_format?: unknown }
  const lists: unknown[] = [filters]
  let count = 0
  for (let list = lists.pop(); list !== undefined && count <= MAX_FILTERS; list = lists.pop()) {
    if (!Array.isArray(list)) continue
    for (const part of list) {
      const inner: unknown = (part as { filters?: unknown } | null | undefined)?.filters
      if (inner === undefined) count++
      else lists.push(inner)
      if (count > MAX_FILTERS || lists.length > MAX_FILTERS) {
        count = MAX_FILTERS + 1
        break
      }
    }
  }
  if (count > MAX_FILTERS) faults.push(`filters: expected at most ${MAX_FILTERS} filters in all groups. Found: more.`)
  // zod leaves this key out without a word.
  if (typeof log_format === 'object' && log_format !== null && Object.hasOwn(log_format, '__proto__')) {
    faults.push(sentence('log_format.__proto__', 'another field name', '__proto__'))
  }
  return faults
}

function withoutFilters(value: unknown): unknown {
  return { ...(value as object), filters: [] }
}

function sentencesOf(issue: z.core.$ZodIssue): string[] {
  const path = pathText(issue.path)
  if (issue.code === 'unrecognized_keys') {
    const known = issue.path.length === 0 ? SCENARIO_KEYS : isGroup(issue.input) ? GROUP_KEYS : FILTER_KEYS
    return issue.keys.map(key => {
      const expected = `one of the keys ${known.join(' ')}${didYouMean(key, known)}`
      return sentence(pathText([...issue.path, key]), expected, key)
    })
  }
  if (issue.code === 'invalid_key') return issue.issues.map(inner => sentence(path, inner.message, issue.input))
  // All members of the union failed; only a text has a limit of its own.
  if (issue.code === 'invalid_union' && typeof issue.input === 'string') {
    return [sentence(path, `at most ${MAX_RIGHT} characters`, issue.input)]
  }
  return [sentence(path, issue.message, issue.input)]
}

function isGroup(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ('filters' in value || 'logical_operator' in value)
}

function sentence(path: string, expected: string, found: unknown): string {
  return `${path}: expected ${expected}${expected.endsWith('?') ? '' : '.'} Found: ${shown(found)}.`
}

/** `filters[0].right`; names that are no identifiers are quoted. */
function pathText(path: readonly PropertyKey[]): string {
  let out = ''
  for (const part of path) {
    if (typeof part === 'number') out += `[${part}]`
    else if (/^[\w.*]+$/.test(String(part))) out += `${out === '' ? '' : '.'}${String(part)}`
    else out += `[${shown(String(part))}]`
  }
  return out === '' ? 'scenario' : out
}

function didYouMean(found: string, known: readonly string[]): string {
  const nearest = nearestName(found, known)
  return nearest === undefined ? '' : `, did you mean ${nearest}?`
}

/** A value as JSON, cut; lists and objects only by their kind, as they may be deep. */
function shown(value: unknown): string {
  if (typeof value === 'string') {
    return value.length <= 80
      ? JSON.stringify(value)
      : `${JSON.stringify(value.slice(0, 80))}… (${value.length} characters)`
  }
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  return value === undefined ? 'nothing' : String(value)
}
