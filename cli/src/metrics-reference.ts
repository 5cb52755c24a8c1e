import { registerGatewayMetrics } from '@headwater/gateway'
import { createProcessorMetrics } from '@headwater/processor'
import { Registry } from 'prom-client'

/** What /metrics says of one metric, without its values. */
export interface MetricDescription {
  name: string
  type: string
  labels: readonly string[]
  help: string
}

/** Every metric of ours, in the order of the data's way: gateway first. Those of the process itself are prom-client's. */
export function metricDescriptions(): MetricDescription[] {
  const registry = new Registry()
  // Values are read when somebody asks for them, and here nobody does.
  registerGatewayMetrics(registry, {} as Parameters<typeof registerGatewayMetrics>[1])
  createProcessorMetrics(registry)
  return registry.getMetricsAsArray().map(metric => {
    // prom-client keeps the names of the labels to itself in its types, though not in its objects.
    const { labelNames = [] } = metric as unknown as { labelNames?: string[] }
    return { name: metric.name, type: String(metric.type), labels: labelNames, help: metric.help }
  })
}

/** `docs/reference/metrics.md`, made from the registered metrics so that it cannot say anything else. */
export function metricsReference(): string {
  const rows = metricDescriptions().map(
    ({ name, type, labels, help }) =>
      `| \`${name}\` | ${type} | ${unitOf(name)} | ${labels.map(label => `\`${label}\``).join(', ')} | ${help} |`,
  )
  return `# Metrics

<!-- Generated from the registered metrics by \`npm run docs\`; a test fails when it is stale. -->

\`GET /metrics\` on the metrics port (9464, loopback) answers in Prometheus' text format. Names are
\`headwater_<stage>_<what>_<unit>\`; counters end in \`_total\` and begin at 0 with every start. Besides these there are
prom-client's own of the process, \`process_…\` and \`nodejs_…\`. [errors.md](errors.md) says what the results of
\`headwater_filter_events_total\` mean.

| metric | type | unit | labels | meaning |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

## What to watch

| sign | expression |
| --- | --- |
| beacons are refused because the log cannot be written | \`headwater_gateway_log_writable == 0\` |
| reading falls behind | \`headwater_tailer_lag_bytes > 50e6\` |
| access log was gone before it was read: data lost | \`increase(headwater_tailer_lost_bytes_total[1h]) > 0\` |
| many inputs are no events | \`rate(headwater_filter_events_total{result=~"bad_.*\\|not_json\\|no_target\\|unknown_scenario"}[5m]) > 1\` |
| dead letters are only counted, as there are too many | \`increase(headwater_filter_over_budget_dead_letters_total[1h]) > 0\` |
| records cannot be read | \`increase(headwater_stats_outcomes_total{result="damaged"}[1h]) > 0\` |
| no archive file although events come | \`sum(increase(headwater_archive_files_total[30m])) == 0 and sum(increase(headwater_filter_events_total{result="judged"}[30m])) > 0\` |
`
}

/** The last word of the name, before \`_total\`: what is counted or measured in. */
function unitOf(name: string): string {
  const words = name.replace(/_total$/, '').split('_')
  return words.at(-1) === 'writable' ? '0 or 1' : (words.at(-1) ?? '')
}
