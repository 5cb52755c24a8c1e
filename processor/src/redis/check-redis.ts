import { ProcessorError } from '../errors.ts'
import type { RedisConnection } from './connect-redis.ts'

/** Share of `maxmemory` above which somebody should act. */
const ALMOST_FULL = 0.9

/** What is to be said about a Redis as it is set up now, one sentence each. */
export interface RedisFindings {
  /** With these, counters could be lost without a word: nothing is stored. */
  faults: string[]
  /** What could not be looked up, or costs more than it must at a power cut. */
  warnings: string[]
  /** Said when its memory is used up: it refuses every write, and keeps what it has. */
  full?: string
}

/**
 * Whether Redis keeps what it is given: `maxmemory-policy` must be noeviction (an evicted hash would be counters that
 * begin again) and the append-only file must be on. By INFO, which managed services allow, and CONFIG where INFO is silent.
 * Rejects as `RedisConnection.run` does.
 */
export async function checkRedis(connection: RedisConnection): Promise<RedisFindings> {
  const faults: string[] = []
  const warnings: string[] = []
  let full: string | undefined
  const at = `Redis at ${connection.address}`
  const settings = await connection.run(async redis => {
    // A refusal of either command is no fault: the other one may answer.
    const info = parseInfo(await redis.info().catch(refused))
    const config = async (name: string): Promise<string | undefined> =>
      ((await redis.config('GET', name).catch(refused)) as string[] | undefined)?.[1]
    return {
      policy: info.get('maxmemory_policy') ?? (await config('maxmemory-policy')),
      aof: yesNo(info.get('aof_enabled')) ?? (await config('appendonly')),
      fsync: await config('appendfsync'),
      role: info.get('role'),
      // What Redis itself compares before it refuses a write.
      usedBytes: Number(info.get('used_memory')) - Number(info.get('mem_not_counted_for_evict') ?? 0),
      maxBytes: Number(info.get('maxmemory')),
    }
  })

  const { policy, aof, fsync, role, usedBytes, maxBytes } = settings
  if (policy === undefined) {
    warnings.push(`${at} does not tell its maxmemory-policy: make sure that it is noeviction.`)
  } else if (policy !== 'noeviction') {
    faults.push(
      `${at} must never evict: set maxmemory-policy noeviction (CONFIG SET and the configuration file). Found: ${policy}.`,
    )
  }
  if (aof === undefined) {
    warnings.push(`${at} does not tell whether it keeps an append-only file: make sure that appendonly is yes.`)
  } else if (aof !== 'yes') {
    faults.push(
      `${at} must survive its own restart: set appendonly yes (CONFIG SET and the configuration file). Found: ${aof}.`,
    )
  }
  if (aof === 'yes' && fsync === 'no') {
    warnings.push(
      `${at} loses up to 30 s at a power cut, which are counted again: set appendfsync everysec. Found: no.`,
    )
  }
  // NaN where INFO is not allowed, 0 where there is no limit.
  if (maxBytes > 0 && usedBytes >= ALMOST_FULL * maxBytes) {
    const remedy = `raise its maxmemory, or move other data out of it. Found: ${usedBytes} of ${maxBytes} bytes used.`
    if (usedBytes >= maxBytes) full = `${at} is full and takes no more: ${remedy}`
    else warnings.push(`${at} is almost full: ${remedy}`)
  }
  if (role === 'slave') faults.push(`${at} must be the primary: let redis.url lead there. Found: a replica.`)
  return { faults, warnings, ...(full !== undefined && { full }) }
}

/**
 * Rejects with STORE_MISCONFIGURED (retryable: it is looked at again) while there are faults. Asked once a connection, for
 * a setting that is changed while we are connected is the work of an operator who was told.
 */
export function redisGuard(connection: RedisConnection): () => Promise<void> {
  let checked: number | undefined
  return async () => {
    if (checked === connection.epoch) return
    const { faults } = await checkRedis(connection)
    if (faults.length > 0) throw new ProcessorError('STORE_MISCONFIGURED', faults.join(' '), { retryable: true })
    checked = connection.epoch
  }
}

function refused(error: unknown): undefined {
  if (/NOPERM|unknown command|not allowed|disabled/i.test(String(error))) return undefined
  throw error
}

function yesNo(flag: string | undefined): string | undefined {
  return flag === undefined ? undefined : flag === '1' ? 'yes' : 'no'
}

/** INFO is lines of `name:value`. */
function parseInfo(text: string | undefined): Map<string, string> {
  return new Map(
    (text ?? '')
      .split('\r\n')
      .filter(line => line.includes(':'))
      .map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
}
