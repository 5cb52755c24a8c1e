import { MAX_EVENT_CHARS, MAX_VALUE_CHARS } from './limits.ts'

/** A parameter's value; nothing, the empty string and `false` leave the parameter out, as Matomo's do. */
export type ParamValue = string | number | boolean | null | undefined

/** Names and values, sent in the order in which they were set. */
export type TrackedParams = Record<string, ParamValue>

/**
 * `name=value&…`, percent-encoded as `encodeURIComponent` does (so are Matomo's). An event that would be longer than
 * `MAX_EVENT_CHARS` is cut where it is longest. Half surrogate pairs, which `encodeURIComponent` throws on, become U+FFFD
 * in values; names are the page's own.
 */
export function buildQuery(params: Readonly<TrackedParams>): string {
  for (let max = MAX_VALUE_CHARS; ; max >>= 1) {
    const query = Object.keys(params)
      .flatMap(name => {
        const value = params[name]
        return value || value === 0
          ? `${encodeURIComponent(name)}=${encodeURIComponent(`${value}`.slice(0, max).replace(/\p{Cs}/gu, '\ufffd'))}`
          : []
      })
      .join('&')
    if (query.length <= MAX_EVENT_CHARS || !max) return query
  }
}
