import type { Outcome } from './outcome.ts'
import { type BucketPoint, TimeBuckets } from './time-buckets.ts'

/** What `Counters` reads of an outcome. */
export type CountedOutcome = Pick<Outcome, 'scenarioId' | 'judgingVersion' | 'success' | 'date'>

/** The totals of one scenario under one judging version. Absolute: since the first event. */
export interface ScenarioTotals {
  scenario_id: number
  judging_version: number
  total_count: number
  success_count: number
  /** The latest `date` counted, ISO 8601 UTC; null when no event had a time that can be written so. */
  last_event_at: string | null
}

/** Counts of a stretch of time. */
export interface ScenarioCount {
  scenario_id: number
  judging_version: number
  total_count: number
  success_count: number
}

/** 5 seconds for 15 minutes (the live chart), a minute for 24 hours, an hour for 30 days. */
export type Resolution = '5s' | '1m' | '1h'

export interface SeriesQuery {
  scenarioId: number
  /** Without it: the sum over all judging versions. */
  judgingVersion?: number | undefined
  resolution: Resolution
  /** Unix ms; the buckets that `from` … `to` lie in are part of the answer. Without them: all that are kept. */
  from?: number | undefined
  to?: number | undefined
}

/**
 * Counters as plain JSON. A series is
 * `[scenario_id, judging_version, total, success, last event in Unix ms or null, [5 s], [1 m], [1 h]]`, and each list of buckets is
 * flat: `step, total, success, step, total, success, …`: the first step is the bucket's number (Unix ms ÷ length), every
 * other one the distance to the bucket before. Empty buckets are left out.
 */
export interface CountersJson {
  series: SeriesJson[]
}
type SeriesJson = [number, number, number, number, number | null, number[], number[], number[]]

const RESOLUTIONS: readonly Resolution[] = ['5s', '1m', '1h']
const SHAPES = [
  { bucketMs: 5_000, kept: 180 },
  { bucketMs: 60_000, kept: 1_440 },
  { bucketMs: 3_600_000, kept: 720 },
] as const

/**
 * A `date` that is later than its arrival by more than this is not believed: the event is counted at its arrival. Without
 * this, one edge with a clock in the next century would push every honest event out of the buckets.
 */
export const MAX_CLOCK_LEAD_MS = 300_000

interface Series {
  scenarioId: number
  judgingVersion: number
  total: number
  success: number
  lastEventAt: number
  /** By `RESOLUTIONS`; undefined while there is nothing to keep. */
  buckets: (TimeBuckets | undefined)[]
}

/**
 * Absolute counts of outcomes per scenario and judging version, and buckets of time by the event's `date`. Late events go
 * to their own bucket; those too old for a resolution (counted from the newest event of any scenario) count in the totals
 * only. Memory is bounded by the number of scenarios and versions: at most 19 KB for each that has recent events.
 */
export class Counters {
  readonly #byScenario = new Map<number, Series[]>()
  /** Latest event time of all series: what "old" is measured from. */
  #newest = Number.NEGATIVE_INFINITY

  /** Counts one outcome. `arrivedAt`: when the log got it, Unix ms; bounds `date` (see `MAX_CLOCK_LEAD_MS`). */
  add(outcome: CountedOutcome, arrivedAt = Number.POSITIVE_INFINITY): void {
    const { date, success } = outcome
    const at = date <= arrivedAt + MAX_CLOCK_LEAD_MS ? date : arrivedAt
    const series = this.#seriesOf(outcome.scenarioId, outcome.judgingVersion)
    series.total += 1
    series.success += success
    if (!Number.isFinite(at)) return
    if (at > series.lastEventAt) series.lastEventAt = at
    if (at > this.#newest) this.#newest = at
    for (let r = 0; r < SHAPES.length; r++) this.#addTo(series, r, Math.floor(at / SHAPES[r]!.bucketMs), 1, success)
  }

  /** Adds all of `other` to this one: the sum over partitions. */
  merge(other: Counters): void {
    if (other.#newest > this.#newest) this.#newest = other.#newest
    for (const from of other.#all()) {
      const into = this.#seriesOf(from.scenarioId, from.judgingVersion)
      into.total += from.total
      into.success += from.success
      if (from.lastEventAt > into.lastEventAt) into.lastEventAt = from.lastEventAt
      from.buckets.forEach((buckets, r) => {
        buckets?.visit(Number.NEGATIVE_INFINITY, buckets.newest, (number, total, success) =>
          this.#addTo(into, r, number, total, success),
        )
      })
    }
  }

  /** One row for each scenario and judging version, ordered by both. */
  read(): ScenarioTotals[] {
    const rows: ScenarioTotals[] = []
    for (const series of this.#sorted()) {
      rows.push({
        scenario_id: series.scenarioId,
        judging_version: series.judgingVersion,
        total_count: series.total,
        success_count: series.success,
        last_event_at: isoTime(series.lastEventAt),
      })
    }
    return rows
  }

  /** What was counted in the twelve 5-second buckets up to the one that `now` (Unix ms) lies in; without empty rows. */
  lastMinute(now: number): ScenarioCount[] {
    const last = Math.floor(now / SHAPES[0].bucketMs)
    const rows: ScenarioCount[] = []
    for (const series of this.#sorted()) {
      const row = {
        scenario_id: series.scenarioId,
        judging_version: series.judgingVersion,
        total_count: 0,
        success_count: 0,
      }
      series.buckets[0]?.visit(last - 11, last, (_number, total, success) => {
        row.total_count += total
        row.success_count += success
      })
      if (row.total_count > 0) rows.push(row)
    }
    return rows
  }

  /** The buckets of a scenario that are not empty, in order of time. */
  series(query: SeriesQuery): BucketPoint[] {
    const r = RESOLUTIONS.indexOf(query.resolution)
    const { bucketMs } = SHAPES[r]!
    const from = Math.max(Math.floor((query.from ?? Number.NEGATIVE_INFINITY) / bucketMs), this.#oldestKept(r))
    const to = Math.floor((query.to ?? Number.POSITIVE_INFINITY) / bucketMs)
    const points = new Map<number, BucketPoint>()
    for (const series of this.#byScenario.get(query.scenarioId) ?? []) {
      if (query.judgingVersion !== undefined && series.judgingVersion !== query.judgingVersion) continue
      series.buckets[r]?.visit(from, to, (number, total, success) => {
        const point = points.get(number)
        if (point === undefined) {
          points.set(number, { at: number * bucketMs, total_count: total, success_count: success })
        } else {
          point.total_count += total
          point.success_count += success
        }
      })
    }
    return [...points.values()].sort((a, b) => a.at - b.at)
  }

  /** Plain JSON that `Counters.fromJSON` takes; also frees buckets that have become too old. */
  toJSON(): CountersJson {
    const rows: SeriesJson[] = []
    for (const series of this.#all()) {
      const lists = SHAPES.map((_shape, r) => this.#bucketsJson(series, r)) as [number[], number[], number[]]
      const lastEventAt = Number.isFinite(series.lastEventAt) ? series.lastEventAt : null
      rows.push([series.scenarioId, series.judgingVersion, series.total, series.success, lastEventAt, ...lists])
    }
    return { series: rows }
  }

  /** The counters that `toJSON` described. Throws a RangeError that names the place when `json` is something else. */
  static fromJSON(json: unknown): Counters {
    const counters = new Counters()
    const rows = (json as CountersJson | null | undefined)?.series
    if (!Array.isArray(rows)) throw new RangeError(`counters must have a list "series". Found: ${show(json)}.`)
    rows.forEach((row: unknown, i) => {
      if (!isSeriesJson(row)) throw new RangeError(`series[${i}] is no series of counters. Found: ${show(row)}.`)
      const series = counters.#seriesOf(row[0], row[1])
      series.total += row[2]
      series.success += row[3]
      if (row[4] !== null) series.lastEventAt = Math.max(series.lastEventAt, row[4])
      counters.#newest = Math.max(counters.#newest, series.lastEventAt)
    })
    // Buckets after all totals, when it is known what is old.
    for (const row of rows as SeriesJson[]) {
      const series = counters.#seriesOf(row[0], row[1])
      for (let r = 0; r < SHAPES.length; r++) {
        const list = row[5 + r] as number[]
        for (let i = 0, number = 0; i + 2 < list.length; i += 3) {
          number += list[i]!
          counters.#addTo(series, r, number, list[i + 1]!, list[i + 2]!)
        }
      }
    }
    return counters
  }

  #seriesOf(scenarioId: number, judgingVersion: number): Series {
    let versions = this.#byScenario.get(scenarioId)
    if (versions === undefined) {
      versions = []
      this.#byScenario.set(scenarioId, versions)
    }
    // The version in force is nearly always the last one that was met.
    for (let i = versions.length - 1; i >= 0; i--) {
      if (versions[i]!.judgingVersion === judgingVersion) return versions[i]!
    }
    const series: Series = {
      scenarioId,
      judgingVersion,
      total: 0,
      success: 0,
      lastEventAt: Number.NEGATIVE_INFINITY,
      buckets: [undefined, undefined, undefined],
    }
    versions.push(series)
    return series
  }

  #addTo(series: Series, r: number, number: number, total: number, success: number): void {
    let buckets = series.buckets[r]
    if (buckets === undefined) {
      if (number < this.#oldestKept(r)) return
      buckets = new TimeBuckets(SHAPES[r]!.bucketMs, SHAPES[r]!.kept)
      series.buckets[r] = buckets
    }
    buckets.add(number, total, success)
  }

  #oldestKept(r: number): number {
    return Math.floor(this.#newest / SHAPES[r]!.bucketMs) - SHAPES[r]!.kept + 1
  }

  #bucketsJson(series: Series, r: number): number[] {
    const buckets = series.buckets[r]
    if (buckets === undefined) return []
    const oldest = this.#oldestKept(r)
    if (buckets.newest < oldest) {
      series.buckets[r] = undefined
      return []
    }
    const list: number[] = []
    let before = 0
    buckets.visit(oldest, buckets.newest, (number, total, success) => {
      list.push(number - before, total, success)
      before = number
    })
    return list
  }

  *#all(): Iterable<Series> {
    for (const versions of this.#byScenario.values()) yield* versions
  }

  #sorted(): Series[] {
    return [...this.#all()].sort((a, b) => a.scenarioId - b.scenarioId || a.judgingVersion - b.judgingVersion)
  }
}

function isoTime(unixMs: number): string | null {
  const time = new Date(unixMs)
  return Number.isNaN(time.getTime()) ? null : time.toISOString()
}

function isSeriesJson(row: unknown): row is SeriesJson {
  if (!Array.isArray(row) || row.length !== 8) return false
  const [id, version, total, success, lastEventAt, ...lists] = row as unknown[]
  const whole = (value: unknown): boolean => Number.isSafeInteger(value)
  const count = (value: unknown): boolean => whole(value) && (value as number) >= 0
  return (
    whole(id) &&
    whole(version) &&
    count(total) &&
    count(success) &&
    (lastEventAt === null || Number.isFinite(lastEventAt)) &&
    lists.every(
      list => Array.isArray(list) && list.length % 3 === 0 && list.every((n, i) => (i % 3 === 0 ? whole(n) : count(n))),
    )
  )
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
