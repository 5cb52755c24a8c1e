import type { PartitionId } from '../ports.ts'

/*
 * Counters in Redis. All keys of one partition share the tag `{<topic>-<partition>}`, so that one script may change them
 * together in a cluster, too. `<prefix>` is empty unless several systems share a Redis.
 *
 *   <prefix>hw:<topic>:partitions              set     partitions that have counters
 *   <prefix>hw:{scenario-log-3}:pos            hash    format 1
 *                                                      position 4712             next offset to read
 *                                                      order "0 4711 0 5"        order key of the last record, or empty
 *                                                      revision <uuid>           another one with every apply
 *   <prefix>hw:{scenario-log-3}:series         set     "5:v2": scenario 5 under judging version 2
 *   <prefix>hw:{scenario-log-3}:s:5:v2         hash    total, success, last (event, Unix ms; absent when there is none)
 *   <prefix>hw:{scenario-log-3}:s:5:v2:f:2025-06-18T12   hash of 5-second buckets, EXPIRE 1 day
 *   <prefix>hw:{scenario-log-3}:s:5:v2:m:2025-06-18      hash of minutes,          EXPIRE 3 days
 *   <prefix>hw:{scenario-log-3}:s:5:v2:h:2025-06         hash of hours,            EXPIRE 45 days
 *
 * A bucket is a field: its begin in Unix seconds, with the value "<total> <success>". What has become too old is dropped
 * key by key as counting goes on; EXPIRE, from the last write, is for what nobody writes to any more.
 */

/** One kind of bucket: how `CountersJson` has it (`index` of a series), how long one lasts and how many are kept. */
export interface BucketKind {
  index: 5 | 6 | 7
  letter: 'f' | 'm' | 'h'
  resolution: '5s' | '1m' | '1h'
  bucketMs: number
  kept: number
  expireS: number
}

/** Must agree with the lengths that `Counters` keeps (a test compares). */
export const BUCKET_KINDS: readonly BucketKind[] = [
  { index: 5, letter: 'f', resolution: '5s', bucketMs: 5_000, kept: 180, expireS: 86_400 },
  { index: 6, letter: 'm', resolution: '1m', bucketMs: 60_000, kept: 1_440, expireS: 3 * 86_400 },
  { index: 7, letter: 'h', resolution: '1h', bucketMs: 3_600_000, kept: 720, expireS: 45 * 86_400 },
]

/** The names of one partition's keys. */
export interface StatsKeys {
  pos: string
  series: string
  /** `series` is `5:v2`. */
  totals(series: string): string
  buckets(series: string, kind: BucketKind, period: string): string
}

export function statsKeys(prefix: string, topic: string, partition: PartitionId): StatsKeys {
  const root = `${prefix}hw:{${topic}-${partition}}`
  return {
    pos: `${root}:pos`,
    series: `${root}:series`,
    totals: series => `${root}:s:${series}`,
    buckets: (series, kind, period) => `${root}:s:${series}:${kind.letter}:${period}`,
  }
}

export function partitionsKey(prefix: string, topic: string): string {
  return `${prefix}hw:${topic}:partitions`
}

/** The UTC hour, day or month whose hash holds a bucket. Times beyond the calendar share one hash. */
export function periodOf(kind: BucketKind, bucket: number): string {
  const time = new Date(bucket * kind.bucketMs)
  if (Number.isNaN(time.getTime())) return 'beyond'
  const [day, clock] = time.toISOString().split('T') as [string, string]
  if (kind.letter === 'm') return day
  return kind.letter === 'f' ? `${day}T${clock.slice(0, 2)}` : day.slice(0, -3)
}

/** The number of the oldest bucket that is kept when the newest event was at `newest` (Unix ms). */
export function oldestKept(kind: BucketKind, newest: number): number {
  return Math.floor(newest / kind.bucketMs) - kind.kept + 1
}
