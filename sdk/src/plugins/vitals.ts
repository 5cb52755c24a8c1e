import type { Plugin } from '../plugin.ts'

/** What is looked at of a metric of the `web-vitals` package. */
export interface VitalMetric {
  name: string
  value: number
  rating: string
}

/** A function like `onLCP` of the `web-vitals` package. */
export type VitalSource = (report: (metric: VitalMetric) => void) => void

/**
 * Reports Core Web Vitals, measured by the `web-vitals` package, which you install and hand over:
 *
 *     import { onCLS, onINP, onLCP } from 'web-vitals'
 *     createTracker({ …, plugins: [vitals(onCLS, onINP, onLCP)] })
 *
 * Each becomes `web-vitals / <name> / <rating>` with its value: milliseconds, for CLS thousandths.
 */
export function vitals(...sources: readonly VitalSource[]): Plugin {
  return (tracker, { safely }) => {
    const report = safely(({ name, value, rating }: VitalMetric) => {
      const whole = Math.round(name === 'CLS' ? value * 1000 : value)
      tracker.event('web-vitals', name, rating, { value: whole })
    })
    for (const source of sources) source(report)
    return () => {}
  }
}
