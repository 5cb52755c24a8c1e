import { appendParam } from './query.ts'
import { wellFormed } from './utf8.ts'

/** A JSON object as `JSON.parse` gives it. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Deeper values are left out: `JSON.stringify` recurses, and where the stack ends is no property of the input. */
const MAX_DEPTH = 32

/** The JSON object that `json` is; `undefined` when it is anything else. Never throws. */
export function parseJsonObject(json: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Appends an object's fields as parameters; whether something had to be cut or left out. Text stays as it is, numbers and
 * booleans become their text, objects and arrays their JSON; a field that is `null` is left out.
 * Numbers have the precision of JSON.parse: an id of more than 15 digits should be sent as a string.
 */
export function appendJsonParams(params: string[], object: JsonObject): boolean {
  let cut = false
  for (const name of Object.keys(object)) {
    const value = object[name]
    if (value === null) continue
    const text = jsonText(value)
    if (text === undefined || appendParam(params, wellFormed(name), text)) cut = true
  }
  return cut
}

/** A JSON value as the text of a parameter; `undefined` when it is nested too deep. */
export function jsonText(value: unknown): string | undefined {
  if (typeof value === 'string') return wellFormed(value)
  if (typeof value !== 'object' || value === null) return String(value)
  return isWithinDepth(value, MAX_DEPTH) ? JSON.stringify(value) : undefined
}

function isWithinDepth(value: object, depth: number): boolean {
  if (depth === 0) return false
  for (const part of Object.values(value))
    if (typeof part === 'object' && part !== null && !isWithinDepth(part, depth - 1)) return false
  return true
}
