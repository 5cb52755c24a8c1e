import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'

export interface PrunedFile {
  path: string
  bytes: number
}

/** Something that keeps files others may still need, and knows which. */
export interface Prunable {
  /** Deletes the files that nobody needs any more and that are older than `before` (Unix ms); resolves with them. */
  prune(before: number): Promise<readonly PrunedFile[]>
}

export interface RetentionOptions {
  /** Access logs and segments. */
  prunables: readonly Prunable[]
  /** Files are kept this long, whoever is past them. */
  keepMs: number
  everyMs?: number
  log: Logger
}

/** Deletes what is old and done, now and then, until `stop` aborts. Never rejects: what could not be deleted is tried again. */
export async function runRetention(options: RetentionOptions, stop: AbortSignal): Promise<void> {
  const { everyMs = 60_000 } = options
  while (!stop.aborted) {
    await pruneOnce(options)
    await pause(everyMs, undefined, { signal: stop }).catch(() => {}) // `stop` ends it early
  }
}

/** One round of `runRetention`; resolves with what was deleted. */
export async function pruneOnce({ prunables, keepMs, log }: RetentionOptions): Promise<readonly PrunedFile[]> {
  const pruned: PrunedFile[] = []
  for (const prunable of prunables) {
    try {
      pruned.push(...(await prunable.prune(Date.now() - keepMs)))
    } catch (error) {
      log.warn({ err: error }, 'Old files could not be deleted')
    }
  }
  for (const { path, bytes } of pruned) log.info({ path, bytes }, 'Deleted a file that everybody has read')
  return pruned
}
