import type { CountersJson } from '@headwater/core'
import type { ChainableCommander, Redis } from 'ioredis'
import { ProcessorError } from '../errors.ts'
import type { OrderKey, PartitionId, SinkPosition } from '../ports.ts'
import { BUCKET_KINDS, type BucketKind, oldestKept, periodOf, statsKeys } from './stats-keys.ts'

/** A partition as it is stored. */
export interface StoredPartition {
  /** `undefined` before the first apply. */
  at: SinkPosition | undefined
  /** Empty before the first apply. */
  revision: string
  counters: CountersJson
}

export interface ReadPartitionQuery {
  keyPrefix: string
  topic: string
  partition: PartitionId
  /** Only this scenario's series. */
  scenarioId?: number | undefined
  /** Which buckets are wanted; totals always are. */
  kinds?: readonly BucketKind[]
}

const FORMAT = '1'
/** Commands that are sent together. */
const PIPELINE = 500
/** An apply takes milliseconds and comes every few seconds. */
const MAX_READS = 5

/**
 * Reads a partition with several commands, and again when it was written to meanwhile, so that what it resolves with is
 * what one apply stored. Rejects with FORMAT_UNKNOWN or STATE_DAMAGED when it is none of ours.
 */
export async function readPartition(redis: Redis, query: ReadPartitionQuery): Promise<StoredPartition> {
  for (let reads = 0; reads < MAX_READS; reads++) {
    const stored = await readOnce(redis, query)
    if (stored !== undefined) return stored
  }
  throw new ProcessorError(
    'STORE_UNAVAILABLE',
    `The counters of partition ${query.partition} changed ${MAX_READS} times while they were read.`,
    { retryable: true },
  )
}

async function readOnce(redis: Redis, query: ReadPartitionQuery): Promise<StoredPartition | undefined> {
  const { partition, scenarioId, kinds = BUCKET_KINDS } = query
  const keys = statsKeys(query.keyPrefix, query.topic, partition)
  const [pos, names] = (await inPipeline(redis, 2, pipeline => pipeline.hgetall(keys.pos).smembers(keys.series))) as [
    Record<string, string>,
    string[],
  ]
  const at = positionOf(pos, partition)

  const series = names
    .map(name => ({ name, ids: /^(\d+):v(\d+)$/.exec(name)?.slice(1).map(Number) as [number, number] | undefined }))
    .filter(({ ids }) => scenarioId === undefined || ids?.[0] === scenarioId)
    .sort((a, b) => (a.ids?.[0] ?? 0) - (b.ids?.[0] ?? 0) || (a.ids?.[1] ?? 0) - (b.ids?.[1] ?? 0))
  // What is too old is measured from the newest event of any series, also when only one is wanted.
  const totals = (await eachInPipeline(redis, names, (pipeline, name) =>
    pipeline.hgetall(keys.totals(name)),
  )) as Record<string, string>[]
  const totalsOf = new Map(names.map((name, i) => [name, totals[i]!]))
  let newest = Number.NEGATIVE_INFINITY
  for (const { last } of totals) if (last !== undefined) newest = Math.max(newest, Number(last))

  const wanted = series.flatMap(({ name }) =>
    kinds.flatMap(kind => periods(kind, newest).map(period => ({ name, kind, period }))),
  )
  const hashes = (await eachInPipeline(redis, wanted, (pipeline, { name, kind, period }) =>
    pipeline.hgetall(keys.buckets(name, kind, period)),
  )) as Record<string, string>[]
  const revision = pos.revision ?? ''
  if (((await redis.hget(keys.pos, 'revision')) ?? '') !== revision) return undefined

  const buckets = new Map<string, [number, string][]>()
  wanted.forEach(({ name, kind }, i) => {
    const list = buckets.get(`${name} ${kind.letter}`) ?? []
    for (const [second, value] of Object.entries(hashes[i]!)) {
      list.push([(Number(second) * 1000) / kind.bucketMs, value])
    }
    buckets.set(`${name} ${kind.letter}`, list)
  })
  const listOf = (name: string, kind: BucketKind): number[] =>
    flatBuckets(buckets.get(`${name} ${kind.letter}`) ?? [], oldestKept(kind, newest))

  const rows = series.map(({ name, ids }): CountersJson['series'][number] => {
    const { total, success, last } = totalsOf.get(name) as Record<string, string>
    if (ids === undefined || total === undefined || success === undefined) {
      throw damaged(`the hash ${keys.totals(name)} must hold total and success. Found: ${total ?? 'nothing'}`)
    }
    const [five, minutes, hours] = BUCKET_KINDS.map(kind => listOf(name, kind)) as [number[], number[], number[]]
    const lastEventAt = last === undefined ? null : Number(last)
    return [ids[0], ids[1], Number(total), Number(success), lastEventAt, five, minutes, hours]
  })
  return { at, revision, counters: { series: rows } }
}

function positionOf(pos: Record<string, string>, partition: PartitionId): SinkPosition | undefined {
  if (Object.keys(pos).length === 0) return undefined
  if (pos.format !== FORMAT) {
    throw new ProcessorError(
      'FORMAT_UNKNOWN',
      `The counters of partition ${partition} in Redis must have format ${FORMAT}: a newer Headwater wrote them. Found: ${pos.format}.`,
    )
  }
  const position = Number(pos.position)
  if (pos.position === undefined || !Number.isSafeInteger(position)) {
    throw damaged(`partition ${partition} must have a whole position. Found: ${pos.position}`)
  }
  return { position, order: orderOf(pos.order ?? '', partition) }
}

/** `0 4711 0 5`: generation, position, index, scenario id. */
export function orderText(order: OrderKey | undefined): string {
  return order === undefined ? '' : `${order.generation} ${order.position} ${order.index} ${order.scenarioId}`
}

function orderOf(text: string, partition: PartitionId): OrderKey | undefined {
  if (text === '') return undefined
  const numbers = text.split(' ').map(Number)
  if (numbers.length !== 4 || !numbers.every(Number.isSafeInteger)) {
    throw damaged(`partition ${partition} must have an order key of four numbers. Found: ${text}`)
  }
  const [generation, position, index, scenarioId] = numbers as [number, number, number, number]
  return { generation, position, index, scenarioId }
}

/** An error that names the way back: the archive has every outcome. */
export function damaged(what: string): ProcessorError {
  return new ProcessorError(
    'STATE_DAMAGED',
    `Counters in Redis: ${what}. Run \`headwater stats rebuild\` to count again from the archive.`,
  )
}

/** The periods that hold buckets which are kept; two, of hours three. */
function periods(kind: BucketKind, newest: number): string[] {
  if (!Number.isFinite(newest)) return []
  const oldest = oldestKept(kind, newest)
  const found = new Set<string>()
  // A step of a day meets every month and day, one of 15 minutes every hour that 15 minutes reach into.
  const step = Math.min(kind.kept - 1, Math.max(1, 86_400_000 / kind.bucketMs))
  for (let number = oldest; number < oldest + kind.kept; number += step) found.add(periodOf(kind, number))
  found.add(periodOf(kind, oldest + kind.kept - 1))
  return [...found]
}

/** As `CountersJson` has them: in order of time, each with its distance to the one before. */
function flatBuckets(buckets: [number, string][], oldest: number): number[] {
  const list: number[] = []
  let before = 0
  for (const [number, value] of buckets.filter(([number]) => number >= oldest).sort((a, b) => a[0] - b[0])) {
    const [total, success] = value.split(' ').map(Number) as [number, number]
    list.push(number - before, total, success)
    before = number
  }
  return list
}

async function eachInPipeline<T>(
  redis: Redis,
  items: readonly T[],
  add: (pipeline: ChainableCommander, item: T) => unknown,
): Promise<unknown[]> {
  const results: unknown[] = []
  for (let from = 0; from < items.length; from += PIPELINE) {
    const some = items.slice(from, from + PIPELINE)
    results.push(
      ...(await inPipeline(redis, some.length, pipeline => {
        for (const item of some) add(pipeline, item)
      })),
    )
  }
  return results
}

async function inPipeline(
  redis: Redis,
  size: number,
  add: (pipeline: ChainableCommander) => unknown,
): Promise<unknown[]> {
  if (size === 0) return []
  const pipeline = redis.pipeline()
  add(pipeline)
  const results = (await pipeline.exec()) ?? []
  return results.map(([error, value]) => {
    if (error !== null) throw error
    return value
  })
}
