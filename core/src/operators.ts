import { RE2JS } from 're2js'

/** Whether a left side that is there satisfies the condition. */
export type LeftTest = (left: string) => boolean

/** The comparing operators; the word operators, each of which has a `not_` form. */
const COMPARISONS = ['==', '!=', '>', '>=', '<', '<='] as const
const WORDS = ['contains', 'starts_with', 'ends_with', 'in', 'matches', 'exists'] as const

/** All operators by the names under which scenarios are kept. */
export const OPERATORS: readonly string[] = [...COMPARISONS, ...WORDS.flatMap(word => [word, `not_${word}`])]

/**
 * Larger programs are refused: time is linear in the text, but the factor is the size of the program, and values of
 * 8 KiB come from anyone. Ordinary patterns have 5 to 50 steps and take 0.1 ms for 8 KiB; the worst found with 300
 * (`(a|b)*a(a|b){100}$`, whose states cannot be remembered) takes 200 ms.
 */
const MAX_PROGRAM_SIZE = 300

/** The kept name of an operator: `!contains` of the seeds is `not_contains`. `undefined` for an unknown one. */
export function operatorName(operator: string): string | undefined {
  const name = operator === '!contains' ? 'not_contains' : operator
  return OPERATORS.includes(name) ? name : undefined
}

/** Whether the operator looks at its right side: all but `exists` and `not_exists`. */
export function needsRight(operator: string): boolean {
  return operator !== 'exists' && operator !== 'not_exists'
}

/** What is expected of the right side of this operator and is not so with `right`; `undefined` when it will do. */
export function rightFault(operator: string, right: string): string | undefined {
  switch (operator) {
    case '>':
    case '>=':
    case '<':
    case '<=':
      return Number.isNaN(orderNumber(right)) ? `a number for ${operator}` : undefined
    case 'in':
    case 'not_in':
      return listItems(right).length === 0 ? 'a comma list with at least one item' : undefined
    case 'matches':
    case 'not_matches':
      return patternFault(right)
    default:
      return undefined
  }
}

/**
 * The test of a condition with a left side that is there; without one every operator but `not_exists` is false, which
 * is the caller's part. `operator` is a kept name. Throws a RangeError for an unknown operator or a pattern that is none.
 *
 * - `== != in` compare as numbers when both sides are canonical decimals (`canonicalNumber`), else as text.
 * - `> >= < <=` compare as numbers (`orderNumber`), or are false.
 * - `contains starts_with ends_with` go by text, case-sensitive, as all of them.
 * - `matches` finds the pattern (RE2 syntax) anywhere in the text; `^` and `$` tie it to the ends.
 */
export function compileOperator(operator: string, right: string): LeftTest {
  switch (operator) {
    case '==':
      return equals(right)
    case '!=':
      return not(equals(right))
    case '>': {
      const bound = orderNumber(right)
      return left => orderNumber(left) > bound
    }
    case '>=': {
      const bound = orderNumber(right)
      return left => orderNumber(left) >= bound
    }
    case '<': {
      const bound = orderNumber(right)
      return left => orderNumber(left) < bound
    }
    case '<=': {
      const bound = orderNumber(right)
      return left => orderNumber(left) <= bound
    }
    case 'contains':
      return left => left.includes(right)
    case 'starts_with':
      return left => left.startsWith(right)
    case 'ends_with':
      return left => left.endsWith(right)
    case 'in':
      return isIn(listItems(right))
    case 'matches':
      return matches(right)
    case 'exists':
      return () => true
    case 'not_exists':
      return () => false
  }
  if (operator.startsWith('not_') && OPERATORS.includes(operator)) return not(compileOperator(operator.slice(4), right))
  throw new RangeError(`Expected one of ${OPERATORS.join(' ')}. Found: ${operator}`)
}

/**
 * A decimal as people write numbers, of at most 15 digits (so that a double holds it): no sign but `-`, no leading zero,
 * no bare point, no exponent. NaN for every other text: `007`, `+7`, `1e3` and ids of 16 digits are text. `1.50` is 1.5.
 */
export function canonicalNumber(text: string): number {
  const { length } = text
  const start = text.charCodeAt(0) === 0x2d ? 1 : 0
  if (length === start || length > 17) return Number.NaN
  let point = -1
  for (let i = start; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x2e && point < 0) point = i
    else if (code < 0x30 || code > 0x39) return Number.NaN
  }
  const wholeEnd = point < 0 ? length : point
  if (length - start - (point < 0 ? 0 : 1) > 15) return Number.NaN
  if (wholeEnd === start || point === length - 1) return Number.NaN
  if (text.charCodeAt(start) === 0x30 && wholeEnd > start + 1) return Number.NaN
  return Number(text)
}

/** A decimal in the wider sense that an order needs: `09`, `+5`, `.5` and `5.` too, of any length. NaN for other texts. */
export function orderNumber(text: string): number {
  const first = text.charCodeAt(0)
  let digits = 0
  for (let i = first === 0x2d || first === 0x2b ? 1 : 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0x30 && code <= 0x39) digits++
    else if (code !== 0x2e) return Number.NaN
  }
  // Two points are left to Number, which says NaN; an empty text it would take for 0.
  return digits > 0 ? Number(text) : Number.NaN
}

/** The items of a comma list, spaces around them taken off, empty ones left out. */
export function listItems(right: string): string[] {
  return right
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '')
}

function not(test: LeftTest): LeftTest {
  return left => !test(left)
}

function equals(right: string): LeftTest {
  const number = canonicalNumber(right)
  if (Number.isNaN(number)) return left => left === right
  return left => left === right || canonicalNumber(left) === number
}

function isIn(items: readonly string[]): LeftTest {
  const texts = new Set(items)
  const numbers = new Set(items.map(canonicalNumber).filter(number => !Number.isNaN(number)))
  if (numbers.size === 0) return left => texts.has(left)
  return left => texts.has(left) || numbers.has(canonicalNumber(left))
}

function matches(right: string): LeftTest {
  const fault = patternFault(right)
  if (fault !== undefined) throw new RangeError(`matches expects ${fault}. Found: ${right}`)
  const pattern = RE2JS.compile(right)
  return left => pattern.test(left)
}

function patternFault(right: string): string | undefined {
  try {
    const size = RE2JS.compile(right).programSize()
    return size > MAX_PROGRAM_SIZE
      ? `a smaller pattern: at most ${MAX_PROGRAM_SIZE} steps, this one has ${size}`
      : undefined
  } catch (error) {
    return `a pattern in RE2 syntax (${error instanceof Error ? error.message : String(error)})`
  }
}
