import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** The processor's metrics, `headwater_<stage>_<what>_<unit>`, by stage; one set a process, made by the composition root. */
export interface ProcessorMetrics {
  tailer: TailerMetrics
  logs: LogMetrics
  filter: FilterMetrics
  stats: StatsMetrics
  deadLetters: DeadLetterMetrics
  archive: ArchiveMetrics
  kafka: KafkaMetrics
  ship: ShipMetrics
}

export interface TailerMetrics {
  bytes: Counter
  /** Bytes of the access log that are written and not yet read. */
  lag: Gauge
  /**
   * By what happened to a file: `rotated`, `truncated`, `copied` (its rest was read from the copy), `late_growth`, `lost`
   * (before it was read to its end), `gone` (perhaps so).
   */
  files: Counter<'what'>
  /** Bytes that were gone before they could be read, as far as their number is known. */
  lostBytes: Counter
}

export interface LogMetrics {
  /** Records that a reader has still to read, by its group. */
  lag: Gauge<'group'>
}

export interface StatsMetrics {
  /** By what became of the record: `counted`, `skipped` (it had been counted before), `damaged` (no outcome can be read). */
  outcomes: Counter<'result'>
  applySeconds: Histogram
  /** Age of the last record in the log when its counters were stored, and so readable for all. */
  freshness: Histogram
  /** How often another owner had written, or the store went back. */
  positionMismatches: Counter
}

export interface DeadLetterMetrics {
  /** By what became of the record: `written`, `skipped` (it had been written before). */
  records: Counter<'result'>
}

export interface ArchiveMetrics {
  /** By table and what became of the record: `archived` (in a published file), `skipped` (it was before), `damaged`. */
  rows: Counter<'table' | 'result'>
  /** By table and what became of the file: `published`, `collision` (another owner had published the same range). */
  files: Counter<'table' | 'result'>
  bytes: Counter<'table'>
  /** Time to encode, upload and publish a file. */
  closeSeconds: Histogram<'table'>
}

export interface FilterMetrics {
  lines: Counter
  /** By what became of the event: `judged`, `duplicate`, `disabled_scenario`, … or why it was rejected. */
  events: Counter<'result'>
  lateRetries: Counter
  deadLettersOverBudget: Counter
  batchSeconds: Histogram
}

export interface KafkaMetrics {
  /** The next offset a reader takes. */
  position: Gauge<'group' | 'partition'>
  /** Records behind the position. */
  lag: Gauge<'group' | 'partition'>
  /** Age of the last record taken while there are more; 0 at the end of the log. */
  lagSeconds: Gauge<'group' | 'partition'>
  /** Joins of the group: the first one, then one for each rebalance that this member went through. */
  joins: Counter<'group'>
  /** Clients given up for a new one, of readers and of the writer. */
  clientFailures: Counter<'client'>
  /** Positions that could not be committed; the next commit covers them. */
  failedCommits: Counter<'group'>
  /** Records that retention deleted before they were read. */
  lostRecords: Counter<'group'>
  /** Records without an order key of ours: not handed on. */
  damagedRecords: Counter<'topic'>
  sentRecords: Counter<'topic'>
  /** Records over the broker's limit for one record: not sent, a dead letter says so. */
  oversizeRecords: Counter<'topic'>
  /** Time until all replicas in sync had one batch. */
  sendSeconds: Histogram<'topic'>
}

export interface ShipMetrics {
  /** Lines that Kafka has acknowledged. */
  lines: Counter
  bytes: Counter
}

export function createProcessorMetrics(registry: Registry): ProcessorMetrics {
  const registers = [registry]
  return {
    tailer: {
      bytes: new Counter({ name: 'headwater_tailer_bytes_total', help: 'Bytes of access log read.', registers }),
      lag: new Gauge({ name: 'headwater_tailer_lag_bytes', help: 'Bytes of access log not read yet.', registers }),
      files: new Counter({
        name: 'headwater_tailer_files_total',
        help: 'What happened to access-log files.',
        labelNames: ['what'],
        registers,
      }),
      lostBytes: new Counter({
        name: 'headwater_tailer_lost_bytes_total',
        help: 'Bytes of access log that were gone before they could be read.',
        registers,
      }),
    },
    logs: {
      lag: new Gauge({
        name: 'headwater_logs_lag_records',
        help: 'Records a reader has still to read.',
        labelNames: ['group'],
        registers,
      }),
    },
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
        name: 'headwater_filter_over_budget_dead_letters_total',
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
    stats: {
      outcomes: new Counter({
        name: 'headwater_stats_outcomes_total',
        help: 'Records of scenario-log by what became of them.',
        labelNames: ['result'],
        registers,
      }),
      applySeconds: new Histogram({
        name: 'headwater_stats_apply_seconds',
        help: 'Time to store the counters once.',
        buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
        registers,
      }),
      freshness: new Histogram({
        name: 'headwater_stats_freshness_seconds',
        help: 'Age of the last record when its counters were stored.',
        buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600],
        registers,
      }),
      positionMismatches: new Counter({
        name: 'headwater_stats_position_mismatches_total',
        help: 'Counters not stored because the stored position was another one.',
        registers,
      }),
    },
    deadLetters: {
      records: new Counter({
        name: 'headwater_dead_letter_records_total',
        help: 'Records of dead-letter by what became of them.',
        labelNames: ['result'],
        registers,
      }),
    },
    archive: {
      rows: new Counter({
        name: 'headwater_archive_rows_total',
        help: 'Records by what became of them: rows of published files, repeats, or none that can be read.',
        labelNames: ['table', 'result'],
        registers,
      }),
      files: new Counter({
        name: 'headwater_archive_files_total',
        help: 'Files published, or dropped because another owner had published the same range.',
        labelNames: ['table', 'result'],
        registers,
      }),
      bytes: new Counter({
        name: 'headwater_archive_bytes_total',
        help: 'Bytes of published files.',
        labelNames: ['table'],
        registers,
      }),
      closeSeconds: new Histogram({
        name: 'headwater_archive_close_seconds',
        help: 'Time to encode, upload and publish one file.',
        labelNames: ['table'],
        buckets: [0.02, 0.1, 0.5, 2, 10, 60],
        registers,
      }),
    },
    kafka: createKafkaMetrics(registry),
    ship: {
      lines: new Counter({ name: 'headwater_ship_lines_total', help: 'Access-log lines taken to Kafka.', registers }),
      bytes: new Counter({ name: 'headwater_ship_bytes_total', help: 'Bytes of these lines.', registers }),
    },
  }
}

function createKafkaMetrics(registry: Registry): KafkaMetrics {
  const counter = <T extends string>(what: string, help: string, labelNames: T[]): Counter<T> =>
    new Counter({ name: `headwater_kafka_${what}_total`, help, labelNames, registers: [registry] })
  const gauge = (what: string, help: string): Gauge<'group' | 'partition'> =>
    new Gauge({ name: `headwater_kafka_${what}`, help, labelNames: ['group', 'partition'], registers: [registry] })
  return {
    position: gauge('position_records', 'The next offset a reader takes.'),
    lag: gauge('lag_records', 'Records a reader has still to read.'),
    lagSeconds: gauge('lag_seconds', 'Age of the last record taken while there are more; 0 at the end of the log.'),
    joins: counter('joins', 'Times a reader joined its group: its first join and every rebalance.', ['group']),
    clientFailures: counter('client_failures', 'Clients given up for a new one.', ['client']),
    failedCommits: counter('failed_commits', 'Positions not committed at once; the next commit covers them.', [
      'group',
    ]),
    lostRecords: counter('lost_records', 'Records deleted by retention before they were read.', ['group']),
    damagedRecords: counter('damaged_records', 'Records without an order key: not handed on.', ['topic']),
    sentRecords: counter('sent_records', 'Records written to a topic and acknowledged.', ['topic']),
    oversizeRecords: counter('oversize_records', 'Records over the size limit: a dead letter instead.', ['topic']),
    sendSeconds: new Histogram({
      name: 'headwater_kafka_send_seconds',
      help: 'Time until one batch was acknowledged.',
      labelNames: ['topic'],
      buckets: [0.002, 0.005, 0.02, 0.1, 0.5, 2, 10, 30],
      registers: [registry],
    }),
  }
}
