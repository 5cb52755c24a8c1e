import { Counter, Histogram, type Registry } from 'prom-client'

/** The processor's metrics, `headwater_<stage>_<what>_<unit>`, by stage; one set a process, made by the composition root. */
export interface ProcessorMetrics {
  filter: FilterMetrics
}

export interface FilterMetrics {
  lines: Counter
  /** By what became of the event: `judged`, `duplicate`, `disabled_scenario`, … or why it was rejected. */
  events: Counter<'result'>
  lateRetries: Counter
  deadLettersOverBudget: Counter
  batchSeconds: Histogram
}

export function createProcessorMetrics(registry: Registry): ProcessorMetrics {
  const registers = [registry]
  return {
    filter: {
      lines: new Counter({ name: 'headwater_filter_lines_total', help: 'Access-log lines read.', registers }),
      events: new Counter({
        name: 'headwater_filter_events_total',
        help: 'Events (or whole lines) by what became of them.',
        labelNames: ['result'],
        registers,
      }),
      lateRetries: new Counter({
        name: 'headwater_filter_late_retries_total',
        help: 'Retries older than the duplicate window: accepted, though they may have been counted before.',
        registers,
      }),
      deadLettersOverBudget: new Counter({
        name: 'headwater_filter_dead_letters_over_budget_total',
        help: 'Dead letters counted but not kept: beyond deadLetters.maxBytesPerHour.',
        registers,
      }),
      batchSeconds: new Histogram({
        name: 'headwater_filter_batch_seconds',
        help: 'Time to judge and store one batch.',
        buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
        registers,
      }),
    },
  }
}
