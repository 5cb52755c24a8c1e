import { collectDefaultMetrics, Registry } from 'prom-client'

/** The metrics of one process, with Node's own. */
export function processRegistry(): Registry {
  const registry = new Registry()
  // Its default, every 10 ms, is a hundred wake-ups a second: more CPU than all else while little comes.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 200 })
  // Sums over the types of the metrics beside them; promtool takes `_total` for a counter, which they are not.
  for (const what of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${what}_total`)
  return registry
}
