/** As in scenarios: `left` names a value, `right` is a text. */
export interface Condition {
  left: string
  /** `== != > >= < <=`, `contains starts_with ends_with in matches exists`, and these six with `not_`. */
  operator: string
  right?: string | number
}

/** A decimal as people write numbers, of at most 15 digits: `007`, `+7` and `1e3` are text. As core's. */
const canonical = (text: string): number =>
  /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text) && text.replace(/\D/g, '').length < 16 ? +text : Number.NaN

/** A decimal in the wider sense that an order needs: `09`, `+5`, `.5`. */
const ordered = (text: string): number => (/^[-+]?(\d+\.?\d*|\.\d+)$/.test(text) ? +text : Number.NaN)

const equal = (a: string, b: string): boolean => a === b || canonical(a) === canonical(b)

/**
 * Whether `left` stands in this relation to `right`, with the meaning that core gives the operators in scenarios (a test holds
 * them equal). Without a left side only `not_exists` holds. Throws for an unknown operator or a pattern that is none.
 */
export function holds(left: string | undefined, operator: string, right: string): boolean {
  if (left === undefined) return operator === 'not_exists'
  const [, negated, name] = /^(!(?=c)|not_)?(.*)/.exec(operator)!
  const [a, b] = [left, right].map(ordered) as [number, number]
  const found = new Map([
    ['==', equal(left, right)],
    ['!=', !equal(left, right)],
    ['>', a > b],
    ['>=', a >= b],
    ['<', a < b],
    ['<=', a <= b],
    ['contains', left.includes(right)],
    ['starts_with', left.startsWith(right)],
    ['ends_with', left.endsWith(right)],
    ['in', right.split(',').some(item => item.trim() && equal(left, item.trim()))],
    ['matches', name === 'matches' && new RegExp(right, 'u').test(left)],
    ['exists', true],
  ]).get(name!)
  if (found === undefined) throw new RangeError(`Unknown operator: ${operator}`)
  return found !== !!negated
}
