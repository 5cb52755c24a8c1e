import { paramsOf } from '../received-events.ts'
import captured from './matomo-requests.json' with { type: 'json' }

/** Parameters that differ, and why. Nothing else may. */
const DIFFERENT: Record<string, string> = {
  r: 'a random number against caches; ours have hw_id',
  h: 'the time of day',
  m: 'the time of day',
  s: 'the time of day',
  _id: 'random; and never empty, because the visitor is the key of the log, also without cookies (then for a page load)',
  pv_id: 'random; both have it or both do not',
  send_image: 'Matomo asks for a picture with GET; ours never needs one',
  consent: 'ours has it on what happens after consent was given, not on what was held until then',
  uadata: 'client hints, empty but in Chromium; the log has the user agent',
  ...Object.fromEntries(
    ['pdf', 'qt', 'realp', 'wma', 'fla', 'java', 'ag'].map(name => [
      name,
      'browser plugins of old; only good for fingerprints',
    ]),
  ),
  ...Object.fromEntries(
    ['pf_net', 'pf_srv', 'pf_tfr', 'pf_dm1', 'pf_dm2', 'pf_onl'].map(name => [
      name,
      'timings; the vitals plugin has better',
    ]),
  ),
  ...Object.fromEntries(
    ['_ref', '_refts', '_rcn', '_rck'].map(name => [
      name,
      'attribution is asked of the log: url and urlref have the source',
    ]),
  ),
}

/** The captured sequences of `_paq` calls. */
export const names = [...new Set(captured.requests.map(({ name }) => name))]

/** The captured events of a sequence; the same one sent twice (by POST and GET) once. */
export function matomoEvents(name: string): Record<string, string>[] {
  const events = captured.requests
    .filter(request => request.name === name)
    .flatMap(({ target, body }) => {
      const bulk = body.startsWith('{') ? (JSON.parse(body) as { requests: string[] }).requests : undefined
      return (bulk ?? [target.split('?')[1] ?? body]).map(query => paramsOf(query.replace(/^\?/, '')))
    })
  return [...new Map(events.map(event => [event.r, event])).values()]
}

/** An event without what may differ. */
export const compared = (params: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(params).filter(([name]) => !(name in DIFFERENT) && !name.startsWith('hw_')))

/** Events as a sorted list of texts that are equal when nothing but what may differ does. */
export const comparable = (events: readonly Record<string, string>[]): string[] =>
  events
    // `cdo` and `hw_try` go by the attempt.
    .map(({ cdo: _, hw_try: __, ...params }) => JSON.stringify(Object.entries(compared(params)).sort()))
    .sort()
