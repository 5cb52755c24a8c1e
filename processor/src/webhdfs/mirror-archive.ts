import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm, unlink, utimes } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ArchiveTable } from '@headwater/core'
import { whileNobodyReads } from '../archive-lock.ts'
import { ProcessorError } from '../errors.ts'
import { readFooter } from '../parquet/read-footer.ts'
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
const DAY = /^\w+\/day=(\d{4}-\d{2}-\d{2})\/hour=\d{2}\/[^/]+\.parquet$/

/**
 * Makes `dir` a copy of an archive that stands elsewhere, so that `openArchive`, `verifyArchive` and all that reads a folder can
 * read it. Archive files do not change but for `forget` and retention, so what is there with the same length and time is kept, and
 * the next copy fetches what is new.
 *
 * A file gets its name when it is whole: length and footer are right. What is new comes first; then, while nobody reads the
 * folder, changed files take the places of old ones and removed ones go. Two copies into one folder do no harm. Rejects as
 * the store does; what was fetched until then stays.
 */
export async function mirrorArchive(options: MirrorArchiveOptions): Promise<MirroredArchive> {
  const { files, dir, tables = TABLES } = options
  const local = localFileStore(dir)
  await mkdir(dir, { recursive: true })
  const there = await listTables(files, tables, options)
  const here = new Map((await listTables(local, tables, options)).map(file => [file.path, file]))
  const wanted = there.filter(file => !isSame(file, here.get(file.path)))

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

/** The copy carries the original's time: HDFS counts in ms, so does `utimes` in whole ms. */
function isSame(there: StoredFile, here: StoredFile | undefined): boolean {
  return here !== undefined && here.bytes === there.bytes && Math.abs(here.modifiedAt - there.modifiedAt) < 1
}

/** False when the file is gone by now. */
async function fetchFile(files: FileStore, file: StoredFile, part: string): Promise<boolean> {
  const target = await open(part, 'wx')
  let length = 0
  try {
    while (length < file.bytes) {
      const chunk = await files.read(file.path, length, Math.min(file.bytes, length + READ_BYTES))
      if (chunk.length === 0) break
      await target.writeFile(chunk)
      length += chunk.length
    }
  } catch (cause) {
    await target.close()
    if ((await files.stat(file.path)) === undefined) return false
    throw cause
  }
  await target.close()
  const footer = length === file.bytes ? await readFooter(localFileStore(dirname(part)), basename(part)) : undefined
  if (footer === undefined) {
    throw new ProcessorError(
      'STORE_UNAVAILABLE',
      `${file.path} must have ${file.bytes} bytes, as it was listed. Found: ${length}. Ask again: it may have been replaced.`,
      { retryable: true },
    )
  }
  await utimes(part, file.modifiedAt / 1000, file.modifiedAt / 1000)
  return true
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
