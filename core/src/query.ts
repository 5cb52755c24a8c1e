import type { ByteString } from './byte-string.ts'
import type { Params } from './params.ts'

/** Splits and percent-decodes a query (tolerant). `form`: `+` is a space. Cuts by the limits, then adds `hw_cut=1`. */
export function parseQuery(_query: ByteString, _form: boolean): string[] {
  throw new Error('to come')
}
/** `name=value&…`, percent-encoded as `encodeURIComponent` does. */
export function formatQuery(_params: Params): string {
  throw new Error('to come')
}
