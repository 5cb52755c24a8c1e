import { ProcessorError } from '../errors.ts'

/** Redis's error words, and what the operator should do about each. Matched anywhere: before Redis 7 scripts wrap them. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /\b(WRONGPASS|NOAUTH)\b|invalid password|without any password configured/,
    'check redis.username and redis.password',
  ],
  [/\bNOPERM\b/, 'give this user the commands and keys that it was refused (ACL SETUSER)'],
  [/\bOOM\b/, 'raise its maxmemory, or move other data out of it'],
  [/\bMISCONF\b|disk is full|No space left/, 'free disk space on its machine'],
  [/\bREADONLY\b/, 'redis.url must lead to the primary, not to a replica'],
  [/\b(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY)\b/, 'it is starting or busy; this passes by itself'],
  [/max number of clients/, 'raise its maxclients'],
]

/**
 * What ioredis rejected with, as an error of ours. Nearly all of it may pass without a restart of this process, so it is
 * retryable; only a key of ours that holds something else is not. Neither Redis nor ioredis puts passwords into messages.
 */
export function redisError(address: string, cause: unknown): ProcessorError {
  if (cause instanceof ProcessorError) return cause
  const found = messageOf(cause)
  if (/\bWRONGTYPE\b/.test(found)) {
    return new ProcessorError(
      'STATE_DAMAGED',
      `Redis at ${address} has a key of another program where Headwater keeps its own. ` +
        `Use another database number or key prefix. Found: ${found}.`,
      { cause },
    )
  }
  const remedy = REMEDIES.find(([pattern]) => pattern.test(found))?.[1] ?? 'check redis.url, the network and its log'
  return new ProcessorError('STORE_UNAVAILABLE', `Redis at ${address} must answer: ${remedy}. Found: ${found}.`, {
    retryable: true,
    cause,
  })
}

function messageOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message || cause.name : String(cause)
  return text.trim().replace(/\.$/, '')
}
