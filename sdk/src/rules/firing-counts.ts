import type { PluginHost } from '../plugin.ts'
import type { Rule } from './rule.ts'

/** A visit ends after this long without activity, as with Matomo. */
const SESSION_MS = 30 * 60_000
const KEY = '_hw_r'

/** How often each rule has fired: in this page view, this visit, and ever. */
export interface FiringCounts {
  /** Counts one more and says whether the rule may fire. */
  take(rule: Rule): boolean
  /** A page view begins. */
  turnPage(): void
  /** The visitor was active until now. */
  touch(): void
}

/**
 * Keeps `[last activity (Unix ms), {"<scope> <rule>": times}]` in localStorage under `_hw_r` when consent allows it, else in
 * memory for as long as the page lives. Nothing is read or written before a rule with `once: session | visitor` fires.
 */
export function firingCounts({ ports: { storage, clock }, mayStore }: PluginHost): FiringCounts {
  let kept: [at: number, counts: Record<string, number>] | undefined
  let page: Record<string, number> = {}

  /** What is kept now, with this moment as the last activity. */
  const touch = (): Record<string, number> => {
    try {
      // Another tab may have written meanwhile.
      if (mayStore()) kept = JSON.parse(storage.peek(KEY)!) ?? kept
    } catch {}
    const now = clock.now()
    const [at, counts] = kept ?? [now, {}]
    if (now - at > SESSION_MS) for (const key in counts) if (key.startsWith('session')) delete counts[key]
    kept = [now, counts]
    return counts
  }
  const save = (): void => {
    if (mayStore()) storage.keep(KEY, JSON.stringify(kept))
  }

  return {
    take(rule) {
      const { once = 'page', limit = rule.once ? 1 : Number.POSITIVE_INFINITY } = rule
      const lasting = once !== 'page'
      const counts = lasting ? touch() : page
      const key = `${once} ${rule.id ?? JSON.stringify(rule)}`
      const times = (counts[key] ?? 0) + 1
      if (times > limit) return false
      counts[key] = times
      if (lasting) save()
      return true
    },
    turnPage() {
      page = {}
    },
    touch() {
      if (!kept) return
      touch()
      save()
    },
  }
}
