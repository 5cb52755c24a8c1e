/**
 * Event parameters as name, value, name, value, … in order of arrival, decoded to Unicode. A name may repeat: the last
 * one counts. A flat array, because most events are built, read a few times and dropped: it costs a third of a `Map`.
 */
export type Params = readonly string[]

/** The value of `name`, or `undefined` when the event does not have it. */
export function getParam(params: Params, name: string): string | undefined {
  for (let i = params.length - 2; i >= 0; i -= 2) if (params[i] === name) return params[i + 1]
  return undefined
}
