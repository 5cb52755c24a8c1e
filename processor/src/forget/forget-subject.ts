/** Whose rows are to go: one visitor (`_id`) or one member (`memberId`, or `uid` where that is missing). */
export type ForgetSubject = { visitor: string } | { member: string }

/**
 * SQL that is true for a subject's own rows, in `event_log` and in `scenario_log`: by the column, and by the parameters that say
 * the same thing but lost against another (a `uid` beside a `memberId`, a forced `cid`), which lie in `params`. A scenario need
 * not keep any of them, so outcomes are found by their event's id, too.
 *
 * A visitor is 16 hex digits in any case; a scenario keeps `_id` as it was sent. Throws RangeError when it is no such thing.
 */
export function subjectSql(subject: ForgetSubject): string {
  if ('visitor' in subject) {
    const visitor = subject.visitor.toLowerCase()
    if (!/^[0-9a-f]{16}$/.test(visitor))
      throw new RangeError(`A visitor is 16 hex digits, as in the column visitor_id. Found: ${subject.visitor}.`)
    return anyOf(['_id', 'cid'], 'visitor_id', visitor, expression => `lower(${expression})`)
  }
  if (subject.member === '') throw new RangeError('A member must not be empty. Found: an empty text.')
  return anyOf(['memberId', 'uid'], 'member_id', subject.member, expression => expression)
}

function anyOf(names: string[], column: string, value: string, read: (expression: string) => string): string {
  const conditions = [`${read(column)} = ${quoted(value)}`]
  // A name that means something else in a scenario is kept as `event.<name>`.
  // Most rows have no such parameter: finding that out by its text spares parsing their JSON.
  for (const name of names.flatMap(plain => [plain, `event.${plain}`]))
    conditions.push(
      `(contains(params, ${quoted(`"${name}":`)}) AND ${read(`json_extract_string(params, ${quoted(`$."${name}"`)})`)} = ${quoted(value)})`,
    )
  return `coalesce(${conditions.join(' OR ')}, false)`
}

/** A text as an SQL literal. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
