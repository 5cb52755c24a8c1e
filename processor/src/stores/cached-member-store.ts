import type { Member } from '@headwater/core'
import type { Logger } from 'pino'
import type { MemberStore } from '../ports.ts'
import type { RedisConnection } from '../redis/connect-redis.ts'
import { CachedEntries } from './cached-entries.ts'
import { isPossibleId } from './mariadb-member-store.ts'

/*
 * <prefix>member:123456:info     string, EXPIRE 600 s: {"member_id":"123456","age":"34","gender":"MALE"}
 *                                null, EXPIRE 60 s: there is no such member
 * <prefix>hw:changed:members     channel: an id, or * for any number of them
 *
 * Whoever changes members by SQL says so with DEL member:<id>:info and PUBLISH hw:changed:members <id>.
 */

export interface CachedMemberStoreOptions {
  /** What is asked for members that no cache has. */
  store: MemberStore
  redis: RedisConnection
  keyPrefix?: string
  /** Members kept in this process at most, some 300 bytes each, and half of these at least. Default 200 000; 0: none. */
  size?: number
  /** How long a member is believed in this process, ms. Default 60 000. */
  ttlMs?: number
  /** How long a member is believed in Redis, s. Default 600. */
  redisTtlS?: number
  /** How long it is believed that there is no such member, s, in both. Default 60. */
  negativeTtlS?: number
  /**
   * Missing members that this process notes in Redis in a minute. Default 10 000: anybody may send ids that nobody has, and
   * the counters live in the same memory. Beyond it they are noted in this process only, which is bounded by `size`.
   */
  maxNegativesPerMinute?: number
  log: Logger
  /** By default `performance.now`. */
  clock?: () => number
}

/** A `MemberStore` with memory. */
export interface CachedMemberStore extends MemberStore {
  /** Listens to notices of changes until `stop` aborts. Without it a change is seen when the entry is too old. */
  watch(stop: AbortSignal): void
}

/** Keys of one MGET or DEL. */
const CHUNK = 1_000

/**
 * Members from this process's memory, else from Redis, else from `store`.
 *
 * What holds: a member is as the store had it at most `ttlMs` + `redisTtlS` ago, or since the last notice that this process
 * heard, except that a look-up under way during a change may put the old state back for as long. So the members of one `get`
 * may be of different moments within these bounds, and the values of a column that was just added come as late. Redis is optional: while it is away, or frozen for longer than a command
 * may take, the store is asked. Only when the store cannot be asked either does `get` reject, with its error (retryable).
 */
export function cachedMemberStore(options: CachedMemberStoreOptions): CachedMemberStore {
  const { store, redis: connection, keyPrefix = '', log, clock = () => performance.now() } = options
  const { size = 200_000, ttlMs = 60_000, redisTtlS = 600, negativeTtlS = 60 } = options
  const { maxNegativesPerMinute = 10_000 } = options
  const entries = new CachedEntries<Member | null>(size, clock)
  const keyOf = (id: string): string => memberKey(keyPrefix, id)
  /** Rises with every notice: what was looked up before it is not kept. */
  let notices = 0
  let isAway = false
  let minute = Number.NEGATIVE_INFINITY
  let negatives = 0
  let columns: ReadonlySet<string> | undefined

  /** Does without Redis when it does not answer. */
  async function optional<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (!connection.isReady) return undefined
    try {
      const result = await work()
      isAway = false
      return result
    } catch (error) {
      if (!isAway) log.warn({ err: error }, 'Redis does not cache members now: the member store is asked')
      isAway = true
      return undefined
    }
  }

  function remember(id: string, member: Member | null, since: number): void {
    if (since === notices) entries.set(id, member, member === null ? Math.min(ttlMs, negativeTtlS * 1000) : ttlMs)
  }

  function takeNegative(): boolean {
    const now = Math.floor(clock() / 60_000)
    if (now !== minute) negatives = 0
    minute = now
    return negatives++ < maxNegativesPerMinute
  }

  async function fromRedis(ids: readonly string[], found: Map<string, Member | null>): Promise<void> {
    for (let from = 0; from < ids.length; from += CHUNK) {
      const some = ids.slice(from, from + CHUNK)
      const values = await optional(() => connection.run(redis => redis.mget(some.map(keyOf))))
      if (values === undefined) return
      some.forEach((id, i) => {
        const member = readMember(values[i] ?? undefined)
        if (member !== undefined) found.set(id, member)
      })
    }
  }

  async function fillRedis(ids: readonly string[], members: ReadonlyMap<string, Member>): Promise<void> {
    await optional(() =>
      connection.run(async redis => {
        for (let from = 0; from < ids.length; from += CHUNK) {
          const pipeline = redis.pipeline()
          for (const id of ids.slice(from, from + CHUNK)) {
            const member = members.get(id)
            if (member === undefined && !takeNegative()) continue
            const [value, ttl] = member === undefined ? ['null', negativeTtlS] : [memberText(id, member), redisTtlS]
            pipeline.set(keyOf(id), value, 'EX', ttl)
          }
          await pipeline.exec()
        }
      }),
    )
  }

  return {
    async get(memberIds: readonly string[]): Promise<ReadonlyMap<string, Member>> {
      const since = notices
      const members = new Map<string, Member>()
      const unknown = new Set<string>()
      for (const id of memberIds) {
        const member = entries.get(id)
        if (member === undefined) {
          if (isPossibleId(id)) unknown.add(id)
        } else if (member !== null) members.set(id, member)
      }
      if (unknown.size === 0) return members
      const found = new Map<string, Member | null>()
      await fromRedis([...unknown], found)
      const missing = [...unknown].filter(id => !found.has(id))
      if (missing.length > 0) {
        const stored = await store.get(missing)
        for (const id of missing) found.set(id, stored.get(id) ?? null)
        if (since === notices) await fillRedis(missing, stored)
      }
      for (const [id, member] of found) {
        if (member !== null) members.set(id, member)
        remember(id, member, since)
      }
      return members
    },

    async columns(): Promise<ReadonlySet<string>> {
      const now = await store.columns()
      if (columns !== undefined && columns !== now) {
        notices++
        entries.clear()
      }
      columns = now
      return now
    },

    watch(stop: AbortSignal): void {
      connection.subscribe(
        membersChannel(keyPrefix),
        id => {
          notices++
          if (id === undefined || id === '*') entries.clear()
          else entries.delete(id)
        },
        stop,
      )
    },
  }
}

/** Says that members have changed: drops them from Redis, and from the memory of every process. Call after the change. */
export async function invalidateMembers(
  connection: RedisConnection,
  memberIds: readonly string[],
  keyPrefix = '',
): Promise<void> {
  if (memberIds.length === 0) return
  await connection.run(async redis => {
    for (let from = 0; from < memberIds.length; from += CHUNK) {
      await redis.del(...memberIds.slice(from, from + CHUNK).map(id => memberKey(keyPrefix, id)))
    }
    await redis.publish(membersChannel(keyPrefix), memberIds.length === 1 ? (memberIds[0] as string) : '*')
  })
}

function memberKey(keyPrefix: string, id: string): string {
  return `${keyPrefix}member:${id}:info`
}

function membersChannel(keyPrefix: string): string {
  return `${keyPrefix}hw:changed:members`
}

function memberText(id: string, member: Member): string {
  return JSON.stringify({ member_id: id, ...member })
}

/** `undefined`: nothing there that we would have written. */
function readMember(text: string | undefined): Member | null | undefined {
  if (text === undefined) return undefined
  if (text === 'null') return null
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { member_id, ...attributes } = value as Record<string, unknown>
  // Inherits nothing: an attribute `constructor` is what the table says, or nothing.
  const member = Object.create(null) as Record<string, string>
  for (const [name, each] of Object.entries(attributes)) {
    if (typeof each !== 'string') return undefined
    member[name] = each
  }
  return member_id === undefined ? undefined : member
}
