import { Counter, Gauge, type Registry } from 'prom-client'
import type { GatewayCounts } from './counts.ts'
import type { LogFile } from './log-file.ts'

/** What the metrics look at when they are asked for. */
export interface Observed {
  counts: GatewayCounts
  log: LogFile
  receiving: () => number
  /** When the TLS certificate ends, Unix ms; 0 without TLS. */
  certificateExpiresAt: () => number
}

/** Registers `headwater_gateway_*`. Nothing is counted here: each value is read from the gateway's own when scraped. */
export function registerGatewayMetrics(registry: Registry, observed: Observed): void {
  const { counts, log } = observed
  const registers = [registry]
  const total = (name: string, help: string, read: () => number): void => {
    new Counter({
      name: `headwater_gateway_${name}_total`,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(read())
      },
    })
  }
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name: `headwater_gateway_${name}`,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })
  }
  new Counter({
    name: 'headwater_gateway_requests_total',
    help: 'Requests by the status of their answer.',
    labelNames: ['status'],
    registers,
    collect() {
      this.reset()
      for (const [status, count] of counts.answers.entries()) if (count > 0) this.inc({ status }, count)
    },
  })
  new Counter({
    name: 'headwater_gateway_refused_requests_total',
    help: 'Requests answered with 429, by the rate they were over: `address` or `site`.',
    labelNames: ['rate'],
    registers,
    collect() {
      this.reset()
      this.inc({ rate: 'address' }, counts.overAddressRate)
      this.inc({ rate: 'site' }, counts.overSiteRate)
    },
  })
  new Counter({
    name: 'headwater_gateway_foreign_events_total',
    help: 'Events answered but not logged as their site does not list the host of their page: `not_allowed`, or `missing` when they name none.',
    labelNames: ['host'],
    registers,
    collect() {
      this.reset()
      this.inc({ host: 'not_allowed' }, counts.hostNotAllowed)
      this.inc({ host: 'missing' }, counts.hostMissing)
    },
  })
  total(
    'refused_clients',
    'Connections closed at once as there were gateway.limits.maxConnections.',
    () => counts.refusedConnections,
  )
  total('lines', 'Lines handed to the log: one for each event.', () => counts.lines)
  total(
    'invalid_events',
    'Lines for bodies, or items of a bulk, that are no event: dead letters to be.',
    () => counts.invalid,
  )
  total(
    'cut_events',
    'Events of a POST or bulk that were cut to the limits of values and parameters.',
    () => counts.cut,
  )
  total(
    'gone_clients',
    'Clients that had gone when their answer was ready; their events are logged.',
    () => counts.gone,
  )
  total('log_bytes', 'Bytes written to the log.', () => log.counts.bytes)
  total('log_writes', 'Writes to the log: one for each turn of the event loop that had lines.', () => log.counts.writes)
  total('log_rotations', 'Times the log was rotated or reopened.', () => log.counts.rotations)
  total(
    'log_failures',
    'Writes to the log that failed: their beacons were answered with 503.',
    () => log.counts.failures,
  )
  gauge('log_writable', 'Whether the last write to the log succeeded: 1 or 0.', () => (log.writable ? 1 : 0))
  gauge('log_file_bytes', 'Size of the present log file.', () => log.size)
  gauge('receiving_bodies', 'Requests whose body is still on its way.', observed.receiving)
  gauge(
    'certificate_expiry_seconds',
    'When the TLS certificate in force ends, as Unix time; 0 without TLS.',
    () => observed.certificateExpiresAt() / 1000,
  )
}
