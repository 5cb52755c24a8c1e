import type { ParamValue } from '../build-query.ts'
import type { Plugin } from '../plugin.ts'

export interface EngagementOptions {
  /** Less than this is not told, but kept for the next time. Default 1 000. */
  minMs?: number
  /** Whether the page has the focus. */
  focused?: () => boolean
  /** A clock that never jumps, ms. */
  monotonicMs?: () => number
}

/**
 * Reports how long a page was both visible and focused: `ping=1` with `hw_eng` = milliseconds since the last such report,
 * when the page loses the focus, is hidden or left, or when the next page view begins. Sum them up by `pv_id`.
 */
export function engagement({
  minMs = 1000,
  focused = () => document.hasFocus(),
  monotonicMs = () => performance.now(),
}: EngagementOptions = {}): Plugin {
  return (tracker, { on, ports }) => {
    let engagedMs = 0
    let since: number | undefined
    let url: ParamValue = ports.page.url()
    const tally = (hidden?: boolean): void => {
      const now = monotonicMs()
      if (since !== undefined) engagedMs += now - since
      since = !hidden && ports.lifecycle.visible() && focused() ? now : undefined
    }
    const report = (): void => {
      if (engagedMs < minMs) return
      // The address may be the next page's already.
      tracker.track({ ping: 1, hw_eng: Math.round(engagedMs), url }, { minor: true })
      engagedMs = 0
    }
    on('focus', () => tally())
    on('blur', () => {
      tally()
      if (since === undefined) report()
    })
    tally()
    return (moment, params) => {
      if (moment === 'event') {
        if (params.action_name !== undefined) url = params.url
        return
      }
      tally(moment === 'hide')
      if (moment === 'hide') report()
      if (moment === 'view') {
        report()
        engagedMs = 0
      }
    }
  }
}
