import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm, unlink, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ArchiveTable } from '@headwater/core'
import { whileNobodyReads } from '../archive-lock.ts'
import { ProcessorError } from '../errors.ts'
import type { FileStore, StoredFile } from '../ports.ts'
import { localFileStore } from '../stores/local-file-store.ts'

export interface MirrorArchiveOptions {
  /** The archive. */
  files: FileStore
  /** The local folder that becomes its copy: this copy's own, made when missing. */
  dir: string
  /** Default both. */
  tables?: readonly ArchiveTable[]
  /** UTC days of arrival, `2025-06-18`, both included; default all. Days outside are left as they are. */
  from?: string
  to?: string
  /** Called after each file. */
  onProgress?: (progress: MirrorProgress) => void
}

/** How far a copy has got. `total…`: what had to be fetched. */
export interface MirrorProgress {
  files: number
  bytes: number
  totalFiles: number
  totalBytes: number
}

/** What a copy did. */
export interface MirroredArchive {
  /** Files that are in the copy now, of the days asked for. */
  files: number
  fetched: number
  fetchedBytes: number
  /** Local files that the archive no longer has. */
  removed: number
}

const TABLES: readonly ArchiveTable[] = ['event_log', 'scenario_log']
const FETCHES_AT_ONCE = 4
const READ_BYTES = 8 * 1024 * 1024
/** So often at most a file is begun anew that is replaced while it is read. */
const MAX_TRIES = 5
const DAY = /^\w+\/day=(\d{4}-\d{2}-\d{2})\/hour=\d{2}\/[^/]+\.parquet$/

/**
 * Makes `dir` a copy of an archive that stands elsewhere, so that `openArchive`, `verifyArchive` and all that reads a folder can
 * read it. Archive files do not change but for `forget` and retention, so what is there with the same length and time is kept, and
 * the next copy fetches what is new.
 *
 * A file gets its name when it is whole, and of one version: it is read by its name, which `forget` may give to another file
 * meanwhile. What is new comes first; then, while nobody reads the folder, changed files take the places of old ones and removed
 * ones go. The low-water marks are fetched before anything is listed, so the copy holds what they speak of. Two copies into one
 * folder do no harm. Rejects as the store does; what was fetched until then stays.
 */
export async function mirrorArchive(options: MirrorArchiveOptions): Promise<MirroredArchive> {
  const { files, dir, tables = TABLES } = options
  const local = localFileStore(dir)
  await mkdir(dir, { recursive: true })
  for (const { path, bytes } of await files.list('_position')) await local.write(path, await files.read(path, 0, bytes))
  const there = await listTables(files, tables, options)
  const here = new Map((await listTables(local, tables, options)).map(file => [file.path, file]))
  const wanted = there.filter(file => !isSameFile(file, here.get(file.path)))

  const parts = join(dir, '_tmp', 'mirror', randomUUID())
  const progress: MirrorProgress = { files: 0, bytes: 0, totalFiles: wanted.length, totalBytes: 0 }
  for (const { bytes } of wanted) progress.totalBytes += bytes
  const changed: [from: string, to: string][] = []
  let missing = 0
  try {
    const queue = wanted.values()
    const fetchNext = async (): Promise<void> => {
      for (const file of queue) {
        const part = join(parts, randomUUID())
        if (await fetchFile(files, file, part)) {
          const target = join(dir, file.path)
          if (here.has(file.path)) changed.push([part, target])
          else await moveTo(part, target)
          progress.bytes += file.bytes
        } else missing++
        progress.files++
        options.onProgress?.({ ...progress })
      }
    }
    await mkdir(parts, { recursive: true })
    // All to their ends: none may write on after the folder is removed.
    const ends = await Promise.allSettled(Array.from({ length: FETCHES_AT_ONCE }, fetchNext))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    const kept = new Set(there.map(({ path }) => path))
    const gone = [...here.keys()].filter(path => !kept.has(path))
    if (changed.length + gone.length > 0) {
      await whileNobodyReads(dir, async () => {
        for (const [part, target] of changed) await moveTo(part, target)
        for (const path of gone) await removeFile(dir, path)
      })
    }
    const fetched = wanted.length - missing
    return { files: there.length - missing, fetched, fetchedBytes: progress.bytes, removed: gone.length }
  } finally {
    await rm(parts, { recursive: true, force: true })
  }
}

async function listTables(
  files: FileStore,
  tables: readonly ArchiveTable[],
  { from = '', to = '9999-12-31' }: MirrorArchiveOptions,
): Promise<StoredFile[]> {
  const lists = await Promise.all(tables.map(table => files.list(table)))
  return lists.flat().filter(({ path }) => {
    const day = DAY.exec(path)?.[1]
    return day !== undefined && day >= from && day <= to
  })
}

/** Whether a file of a copy is this one of the archive. It carries the original's time: HDFS counts in ms, so does `utimes` in whole ms. */
export function isSameFile(there: StoredFile, here: StoredFile | undefined): boolean {
  return here !== undefined && here.bytes === there.bytes && Math.abs(here.modifiedAt - there.modifiedAt) < 1
}

/** False when the file is gone by now. */
async function fetchFile(files: FileStore, listed: StoredFile, part: string): Promise<boolean> {
  let file = listed
  for (let tries = 1; ; tries++) {
    const fault = await fetchVersion(files, file, part)
    const now = await files.stat(file.path)
    if (now === undefined) return false
    if (now.version === file.version) {
      if (fault !== undefined) throw fault
      break
    }
    if (tries === MAX_TRIES) {
      throw new ProcessorError('STORE_UNAVAILABLE', `${file.path} is replaced again and again. Try again later.`, {
        retryable: true,
      })
    }
    file = now
  }
  await utimes(part, file.modifiedAt / 1000, file.modifiedAt / 1000)
  return true
}

/** Resolves with why the file could not be read whole. */
async function fetchVersion(files: FileStore, { path, bytes }: StoredFile, part: string): Promise<Error | undefined> {
  const target = await open(part, 'w')
  try {
    let length = 0
    while (length < bytes) {
      const chunk = await files.read(path, length, Math.min(bytes, length + READ_BYTES))
      if (chunk.length === 0) break
      await target.writeFile(chunk)
      length += chunk.length
    }
    if (length === bytes) return undefined
    const found = `${path} must have ${bytes} bytes, as it was listed. Found: ${length}.`
    return new ProcessorError('STORE_UNAVAILABLE', found, { retryable: true })
  } catch (cause) {
    return cause as Error
  } finally {
    await target.close()
  }
}

async function moveTo(part: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true })
  await rename(part, target)
}

async function removeFile(dir: string, path: string): Promise<void> {
  await unlink(join(dir, path)).catch(cause => {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
  })
}
