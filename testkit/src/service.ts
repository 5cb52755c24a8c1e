/** Services that were missed, so that each is named once a process. */
const reported = new Set<string>()

/**
 * Whether a suite that needs a service may run. `found` is what the search for it gave: a path, a version, or undefined when
 * there is none. A missing service is named once, with the reason; with `HEADWATER_SERVICES=required` (CI) it is an error,
 * so that no suite is ever skipped unseen; with `none` no service is used though it is there, as on a fresh machine.
 *
 *     describe.skipIf(!serviceOrSkip('nginx', findNginx()))('…', () => { … })
 */
export function serviceOrSkip(name: string, found: unknown, reason = 'not installed'): boolean {
  const isUnwanted = process.env.HEADWATER_SERVICES === 'none'
  if (!isUnwanted && found !== undefined && found !== null && found !== false && found !== '') return true
  if (process.env.HEADWATER_SERVICES === 'required')
    throw new Error(`HEADWATER_SERVICES=required, and ${name} is missing: ${reason}.`)
  if (!reported.has(name)) {
    process.stderr.write(`skipped: ${name} is ${isUnwanted ? 'not wanted' : `missing (${reason})`}\n`)
  }
  reported.add(name)
  return false
}
