import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { ProcessorError } from '../errors.ts'
import type { WebHdfsClient } from './webhdfs-client.ts'
import { isRefusal, NameNodesAway } from './webhdfs-error.ts'

/*
 * One at a time replaces files of an archive in HDFS:
 *
 *   _replacing/<uuid>    <uuid> does; the file holds the paths of the uploads that are to take places, a JSON list
 *
 * The folder is the lock. It is made elsewhere, with its file, and renamed into place, which HDFS does only while there is none,
 * not even an empty one. Whoever leaves removes first the file, then the folder; a folder with nothing in it belongs to nobody,
 * and anybody may remove it.
 *
 * A lock whose <uuid> stays the same for STALE_MS of watching was left by somebody who was killed, or hangs. It is broken in the
 * order uploads, file, folder. Each step names what it removes and may be done twice, or late; and once the uploads are gone, no
 * rename of that holder can happen any more: neither when he wakes, nor one that he sent and that HDFS does later. So two who
 * believe that the lock is theirs do no harm, and no clock has to agree with another one.
 */
const LOCK = '_replacing'
const STAGING = '_tmp/_lock'
const STALE_MS = 20_000
const LOOK_EVERY_MS = 100
const GIVE_UP_MS = 900_000
const MAX_LIST_BYTES = 1024 * 1024

export interface ReplaceLockOptions {
  client: WebHdfsClient
  /** Absolute, without a slash at its end. */
  root: string
  /** What is about to take places, below `_tmp/`. */
  uploads: readonly string[]
  /** Default 20 000. */
  staleMs?: number | undefined
}

/**
 * Runs `work` while nobody else replaces files. `work` takes an upload out of `pending` when it is certain what became of it:
 * what is still in there when it ends is removed before the next one gets his turn. Rejects with a retryable STORE_UNAVAILABLE
 * when others do not end within 15 minutes.
 */
export async function whileNobodyElseReplaces<T>(
  { client, root, uploads, staleMs = STALE_MS }: ReplaceLockOptions,
  work: (pending: Set<string>) => Promise<T>,
): Promise<T> {
  const lock = `${root}/${LOCK}`
  const mine = randomUUID()
  const staged = `${root}/${STAGING}/${mine}`

  /** Who holds the lock; `undefined` when the folder is empty or missing. */
  async function holder(): Promise<string | undefined> {
    const found = await client.list(lock)
    if (found?.length === 0) await removeIfEmpty(lock)
    return found?.find(({ type }) => type === 'FILE')?.name
  }

  async function removeIfEmpty(folder: string): Promise<void> {
    await client.remove(folder).catch(error => {
      if (!isRefusal(error, 'PathIsNotEmptyDirectoryException')) throw error
    })
  }

  async function removeUploads(paths: Iterable<string>): Promise<void> {
    for (const path of paths) await client.remove(`${root}/${path}`)
  }

  async function release(file: string): Promise<void> {
    await client.remove(`${lock}/${file}`)
    await removeIfEmpty(lock)
  }

  async function breakLock(of: string): Promise<void> {
    const list = await client.read(`${lock}/${of}`, 0, MAX_LIST_BYTES).catch(error => {
      if (isRefusal(error, 'FileNotFoundException')) return undefined // he has left
      throw error
    })
    if (list === undefined) return
    await removeUploads(uploadsIn(list))
    await release(of)
  }

  async function acquire(): Promise<void> {
    const deadline = performance.now() + GIVE_UP_MS
    let watched: { who: string; since: number } | undefined
    for (;;) {
      const answer = await client.rename(staged, lock, 'NONE').catch(error => error as Error)
      const who = await holder()
      if (who === mine) return
      // Taken, or silence, after which it may still happen.
      const isOpen = isRefusal(answer, 'FileAlreadyExistsException') || (answer instanceof NameNodesAway && answer.sent)
      if (answer instanceof Error && !isOpen) throw answer
      if (answer === 'refused')
        throw new ProcessorError(
          'STORE_UNAVAILABLE',
          `${lock} cannot be made: the server must know renameoptions. Name the NameNodes, not a gateway. Found: a refusal.`,
        )
      if (who !== undefined && who === watched?.who) {
        if (performance.now() - watched.since > staleMs) await breakLock(who)
      } else watched = who === undefined ? undefined : { who, since: performance.now() }
      if (performance.now() > deadline)
        throw new ProcessorError(
          'STORE_UNAVAILABLE',
          `another replacement of archive files must end within 15 minutes. Found: ${lock}/${who} is still there.`,
          { retryable: true },
        )
      await pause(LOOK_EVERY_MS)
    }
  }

  const list = Buffer.from(JSON.stringify(uploads))
  await client.create(`${staged}/${mine}`, { bytes: list.length, open: () => Readable.from([list]) })
  try {
    await acquire()
  } catch (cause) {
    // If the rename happens yet, the lock is one that was left.
    await client.remove(`${staged}/${mine}`).catch(() => {})
    await client.remove(staged).catch(() => {})
    throw cause
  }
  const pending = new Set(uploads)
  try {
    return await work(pending)
  } finally {
    // What cannot be done now, because HDFS is away, the next one does: he finds a lock that was left.
    await removeUploads(pending)
      .then(() => release(mine))
      .catch(() => {})
  }
}

/** The paths in a lock's file; none of a file that says something else, which anybody may have put there. */
function uploadsIn(list: Buffer): string[] {
  try {
    const paths: unknown = JSON.parse(list.toString('utf8'))
    if (!Array.isArray(paths)) return []
    return paths.filter(path => typeof path === 'string' && path.startsWith('_tmp/') && !path.split('/').includes('..'))
  } catch {
    return []
  }
}
