import type { PluginHost } from '../plugin.ts'
import type { Cancel } from '../ports.ts'

/** The page is measured this long after scrolling began, not in its midst: measuring may cost a layout. */
const MEASURE_AFTER_MS = 200

/** Calls while the visitor scrolls, not too often. Returns what calls at once if a call is due. */
export function watchScroll({ on, ports, safely }: PluginHost, scrolled: () => void): () => void {
  let timer: Cancel | undefined
  const measure = safely(() => {
    timer = timer?.()
    scrolled()
  })
  on('scroll', () => {
    timer ??= ports.clock.later(measure, MEASURE_AFTER_MS)
  })
  return () => timer && measure()
}
