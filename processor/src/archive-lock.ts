import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ProcessorError } from './errors.ts'

/*
 * Many read, or one replaces files, in an archive on the local disk:
 *
 *   _readers/<uuid>   somebody reads; made before he looks whether _replacing is there
 *   _replacing        somebody waits for the readers to end, or replaces; made before he looks into _readers
 *
 * So of a reader and a replacer that begin together at least one sees the other; the reader gives way. Both touch their file every
 * second: one that was not touched for 10 s was left by a process that was killed. No process id: readers may live in other
 * containers.
 */
const BEAT_MS = 1_000
const STALE_MS = 10_000
const LOOK_EVERY_MS = 5
/** A query may take 10 minutes (`stats rebuild`), others 1. */
const GIVE_UP_MS = 900_000

/**
 * Announces a reader that opens files of the archive more than once: DuckDB opens each file for its footer and again for its pages,
 * and a file replaced between the two would be read by the old one's footer (measured, DuckDB 1.5.6: errors and wrong counts).
 * Resolves with the function that ends it, at once unless files are just being replaced. In a folder that this user may not
 * write to, or that is missing, nobody is announced.
 */
export async function beginReading(dir: string): Promise<() => Promise<void>> {
  const lock = join(dir, '_replacing')
  const mine = join(dir, '_readers', randomUUID())
  for (;;) {
    try {
      await touch(dir, mine)
    } catch {
      return async () => {}
    }
    if (!(await isFresh(lock))) break
    await rm(mine, { force: true })
    while (await isFresh(lock)) await pause(LOOK_EVERY_MS)
  }
  const beat = setInterval(() => void utimes(mine, new Date(), new Date()).catch(() => {}), BEAT_MS).unref()
  return async () => {
    clearInterval(beat)
    await rm(mine, { force: true })
  }
}

/**
 * Runs `work` while no announced reader reads and nobody else replaces; who wants to read meanwhile waits, so it has to be short.
 * Rejects with a retryable STORE_UNAVAILABLE when readers do not end within 15 minutes.
 */
export async function whileNobodyReads<T>(dir: string, work: () => Promise<T>): Promise<T> {
  const lock = join(dir, '_replacing')
  const deadline = performance.now() + GIVE_UP_MS
  const giveUp = (who: string): void => {
    if (performance.now() > deadline)
      throw new ProcessorError('STORE_UNAVAILABLE', `${who} must end within 15 minutes. Found: still there.`, {
        retryable: true,
      })
  }
  for (;;) {
    try {
      await (await open(lock, 'wx')).close()
      break
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    }
    await removeStale(lock)
    giveUp('another replacement of archive files')
    await pause(LOOK_EVERY_MS)
  }
  const beat = setInterval(() => void utimes(lock, new Date(), new Date()).catch(() => {}), BEAT_MS).unref()
  try {
    while (await isRead(dir)) {
      giveUp('queries over the archive')
      await pause(LOOK_EVERY_MS)
    }
    return await work()
  } finally {
    clearInterval(beat)
    await rm(lock, { force: true })
  }
}

async function isRead(dir: string): Promise<boolean> {
  const readers = join(dir, '_readers')
  for (const name of await readdir(readers).catch(() => [])) {
    const reader = join(readers, name)
    if (await isFresh(reader)) return true
    await rm(reader, { force: true })
  }
  return false
}

/** By rename, so that of two who find it stale only one removes it, and nobody the next one's. */
async function removeStale(lock: string): Promise<void> {
  try {
    if (Date.now() - (await stat(lock)).mtimeMs < STALE_MS) return
    const aside = `${lock}.${randomUUID()}`
    await rename(lock, aside)
    await rm(aside, { force: true })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
  }
}

async function isFresh(path: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs < STALE_MS
  } catch {
    return false
  }
}

async function touch(dir: string, path: string): Promise<void> {
  await stat(dir)
  await mkdir(join(dir, '_readers'), { recursive: true })
  await (await open(path, 'wx')).close()
}
