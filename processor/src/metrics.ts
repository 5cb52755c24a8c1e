import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** The processor's metrics, `headwater_<stage>_<what>_<unit>`; one set a process, made by the composition root. */
export interface ProcessorMetrics {
  filterEvents: Counter<'result'>
}

export function createProcessorMetrics(registry: Registry): ProcessorMetrics {
  const registers = [registry]
  void Gauge
  void Histogram
  return {
    filterEvents: new Counter({
      name: 'headwater_filter_events_total',
      help: 'Events by what became of them.',
      labelNames: ['result'],
      registers,
    }),
  }
}
