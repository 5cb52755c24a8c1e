import type { CountersJson } from '@headwater/core'
import { BUCKET_KINDS, type BucketKind, oldestKept, periodOf, type StatsKeys } from './stats-keys.ts'

type SeriesJson = CountersJson['series'][number]

/** What becomes of one hash. */
export interface HashChange {
  key: string
  /** Whether the hash was there before: when it is gone all the same, the difference is none to what is stored. */
  had: boolean
  /** The whole hash goes. */
  drop: boolean
  /** field, value, field, value, … */
  set: string[]
  remove: string[]
  /** Seconds; 0: stays for ever. */
  expireS: number
}

/** What must be written so that a partition that holds `before` holds `after`. */
export interface CountersDiff {
  addedSeries: string[]
  removedSeries: string[]
  hashes: HashChange[]
}

/**
 * The difference of two states of a partition's counters, as `Counters.toJSON` gives them. Buckets that have only become
 * too old stay in their hash until the last of it is: readers leave them out.
 */
export function diffCounters(keys: StatsKeys, before: CountersJson, after: CountersJson): CountersDiff {
  const diff: CountersDiff = { addedSeries: [], removedSeries: [], hashes: [] }
  const old = new Map(before.series.map(series => [nameOf(series), series]))
  const newest = newestOf(after)
  for (const series of after.series) {
    const name = nameOf(series)
    const was = old.get(name)
    old.delete(name)
    if (was === undefined) diff.addedSeries.push(name)
    const totals = totalsChange(keys.totals(name), was, series)
    if (totals !== undefined) diff.hashes.push(totals)
    for (const kind of BUCKET_KINDS) {
      const key = (period: string): string => keys.buckets(name, kind, period)
      bucketChanges(kind, newest, was?.[kind.index] ?? [], series[kind.index], key, diff.hashes)
    }
  }
  for (const [name, series] of old) {
    diff.removedSeries.push(name)
    diff.hashes.push(dropped(keys.totals(name)))
    for (const kind of BUCKET_KINDS) {
      const key = (period: string): string => keys.buckets(name, kind, period)
      bucketChanges(kind, newest, series[kind.index], [], key, diff.hashes)
    }
  }
  return diff
}

/** `5:v2`. */
export function nameOf(series: SeriesJson): string {
  return `${series[0]}:v${series[1]}`
}

/** Unix ms of the latest event; −Infinity when there is none. */
export function newestOf({ series }: CountersJson): number {
  let newest = Number.NEGATIVE_INFINITY
  for (const each of series) if (each[4] !== null && each[4] > newest) newest = each[4]
  return newest
}

function totalsChange(key: string, was: SeriesJson | undefined, is: SeriesJson): HashChange | undefined {
  const [, , total, success, last] = is
  if (was !== undefined && was[2] === total && was[3] === success && was[4] === last) return undefined
  const set = ['total', String(total), 'success', String(success)]
  if (last !== null) set.push('last', String(last))
  const remove = last === null && was !== undefined && was[4] !== null ? ['last'] : []
  return { key, had: was !== undefined, drop: false, set, remove, expireS: 0 }
}

/**
 * Walks two lists of buckets (`step, total, success, …`) side by side. Both are in order of time, so the buckets of one
 * hash come one after the other.
 */
function bucketChanges(
  kind: BucketKind,
  newest: number,
  before: readonly number[],
  after: readonly number[],
  keyOf: (period: string) => string,
  hashes: HashChange[],
): void {
  const oldest = oldestKept(kind, newest)
  let change: HashChange | undefined
  /** Whether the hash in work keeps a bucket. */
  let keeps = false
  let period = ''
  let nextPeriodAt = Number.NEGATIVE_INFINITY

  const finish = (): void => {
    if (change === undefined) return
    if (!keeps) hashes.push(dropped(change.key))
    else if (change.set.length > 0 || change.remove.length > 0) hashes.push(change)
  }
  const hashOf = (number: number): HashChange => {
    if (change === undefined || number >= nextPeriodAt) {
      const here = periodOf(kind, number)
      if (change === undefined || here !== period) {
        finish()
        period = here
        keeps = false
        change = { key: keyOf(period), had: false, drop: false, set: [], remove: [], expireS: kind.expireS }
      }
      // Within an hour, or a day, the period is the same: the calendar needs not be asked for every bucket.
      const buckets = (kind.letter === 'f' ? 3_600_000 : 86_400_000) / kind.bucketMs
      nextPeriodAt = (Math.floor(number / buckets) + 1) * buckets
    }
    return change
  }

  let b = 0
  let a = 0
  let was = before[0] ?? Number.POSITIVE_INFINITY
  let is = after[0] ?? Number.POSITIVE_INFINITY
  while (b < before.length || a < after.length) {
    const number = Math.min(was, is)
    const hash = hashOf(number)
    if (was === number) hash.had = true
    if (is === number) {
      keeps = true
      if (was !== number || before[b + 1] !== after[a + 1] || before[b + 2] !== after[a + 2]) {
        hash.set.push(String((number * kind.bucketMs) / 1000), `${after[a + 1]} ${after[a + 2]}`)
      }
    } else if (number >= oldest) hash.remove.push(String((number * kind.bucketMs) / 1000))
    if (was === number) {
      b += 3
      was = b < before.length ? was + before[b]! : Number.POSITIVE_INFINITY
    }
    if (is === number) {
      a += 3
      is = a < after.length ? is + after[a]! : Number.POSITIVE_INFINITY
    }
  }
  finish()
}

function dropped(key: string): HashChange {
  return { key, had: false, drop: true, set: [], remove: [], expireS: 0 }
}
