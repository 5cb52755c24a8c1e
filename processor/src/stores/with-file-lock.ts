import { open, rename, rm, stat } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { ProcessorError } from '../errors.ts'

/** Work under the lock takes milliseconds; a lock this old was left by a process that was killed. */
const STALE_MS = 10_000
const GIVE_UP_MS = 15_000

/**
 * Runs `work` while no other process does so under the same lock file (made with O_EXCL, removed afterwards).
 * Rejects with a retryable STORE_UNAVAILABLE when the lock cannot be had within 15 s or cannot be made.
 */
export async function withFileLock<T>(lock: string, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + GIVE_UP_MS
  for (;;) {
    try {
      const handle = await open(lock, 'wx')
      await handle.close()
      break
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code !== 'EEXIST' || performance.now() > deadline) {
        throw new ProcessorError('STORE_UNAVAILABLE', `${lock} cannot be made. Found: ${String(cause)}.`, {
          retryable: true,
          cause,
        })
      }
    }
    await removeStale(lock)
    await pause(10 + Math.random() * 20)
  }
  try {
    return await work()
  } finally {
    await rm(lock, { force: true })
  }
}

async function removeStale(lock: string): Promise<void> {
  try {
    if (Date.now() - (await stat(lock)).mtimeMs < STALE_MS) return
    // By rename, so that of two who find it stale only one removes it.
    const aside = `${lock}.${process.pid}`
    await rename(lock, aside)
    await rm(aside, { force: true })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
  }
}
