import { randomUUID } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { mkdir, open, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { whileNobodyReads } from '../archive-lock.ts'
import { ProcessorError } from '../errors.ts'
import { type ParquetFooter, readFooter } from '../parquet/read-footer.ts'
import type { FileStore } from '../ports.ts'
import { factsOf } from '../sinks/archive-file-facts.ts'
import { syncFolder } from '../state-file.ts'
import { shiftApart } from './shift-apart.ts'

/** Somebody else replaced the file meanwhile: so often at most it is begun again. */
const MAX_TRIES = 5
/** Files that change places together: queries wait for all of them at once, and so much disk is needed twice. */
const SWAP_FILES = 64
const SWAP_BYTES = 256 * 1024 * 1024
/** Zeros in front of the first page of what is written first. Where its pages begin says how many there must be. */
const FIRST_GAP_BYTES = 64
const MAX_GAPS = 3

/** An archive on the local disk. The port's `publish` never replaces, on purpose; this is the one place that does. */
export interface ReplaceableArchive {
  /** The archive's folder. */
  dir: string
  /** The same folder as a file store, for reading. */
  files: FileStore
}

/**
 * Makes the new file of `path` at `target`, with so many zeros in front of its first page (`writeParquet`); the footer must say the
 * same start, end, order key and attempt as the old one. `undefined` when the file shall stay as it is. May be called again.
 */
export type WriteReplacement = (
  path: string,
  footer: ParquetFooter,
  target: string,
  gapBytes: number,
) => Promise<unknown>

interface Replacement {
  path: string
  /** The file that was read. */
  seen: BigIntStats
  target: string
}

/**
 * Puts files with fewer rows in the place of published ones. Resolves with the paths that were replaced; files that are gone by now
 * are not among them.
 *
 * The new file waits below `_tmp`, where no reader looks. One `rename` over the old name is the whole change: kill -9 at any moment
 * leaves the old file or the new one, and who opens the path once has one of them to the end. Who opens it twice (DuckDB does,
 * for the footer and for the pages) announces himself as a reader, and no file changes while he reads (archive-lock.ts); a
 * stranger who does not finds zeros where the old footer says that a page begins, and gets an error instead of wrong rows.
 * Two who replace the same file (a second forget, retention) take turns by the same lock, and the later one begins again when the
 * file is no longer the one it has read.
 *
 * The sink never gets in the way: it publishes only under names that are free, asks a name that is taken for its attempt, end and
 * order key, which stay, and never reads rows.
 */
export async function replaceArchiveFiles(
  archive: ReplaceableArchive,
  paths: readonly string[],
  write: WriteReplacement,
  onReplaced: (path: string) => void = () => {},
): Promise<string[]> {
  const replaced: string[] = []
  let waiting = [...paths]
  for (let tries = 0; waiting.length > 0; tries++) {
    if (tries === MAX_TRIES)
      throw new ProcessorError(
        'STORE_UNAVAILABLE',
        `${waiting[0]} is replaced by others again and again. Try again later.`,
        { retryable: true },
      )
    const again: string[] = []
    for (let next = 0; next < waiting.length; ) {
      const ready: Replacement[] = []
      try {
        for (let bytes = 0; next < waiting.length && ready.length < SWAP_FILES && bytes < SWAP_BYTES; next++) {
          const replacement = await prepare(archive, waiting[next] as string, write)
          if (replacement === undefined) continue
          ready.push(replacement)
          bytes += Number(replacement.seen.size)
        }
        for (const { path, done } of await swap(archive, ready)) {
          if (!done) again.push(path)
          else {
            replaced.push(path)
            onReplaced(path)
          }
        }
      } finally {
        for (const { target } of ready) await unlink(target).catch(() => {})
      }
    }
    waiting = again
  }
  return replaced
}

async function prepare(
  archive: ReplaceableArchive,
  path: string,
  write: WriteReplacement,
): Promise<Replacement | undefined> {
  const seen = await statOf(join(archive.dir, path))
  const footer = await readFooter(archive.files, path)
  if (seen === undefined || footer === undefined) return undefined
  const facts = factsOf(path, footer)
  const [table = '', , , name = ''] = path.split('/')
  await mkdir(join(archive.dir, '_tmp', table), { recursive: true })
  let gapBytes = FIRST_GAP_BYTES
  for (let tries = 0; tries < MAX_GAPS; tries++) {
    // The archive sink removes what bears the name of a file of its own and is a day old: also what a killed forget left.
    const temporary = `_tmp/${table}/${name}.${randomUUID()}`
    const target = join(archive.dir, temporary)
    try {
      if ((await write(path, footer, target, gapBytes)) === undefined) return undefined
      await syncFile(target)
      const written = await readFooter(archive.files, temporary)
      const now = written && factsOf(temporary, written)
      if (now?.start !== facts.start || now.end !== facts.end || now.attempt !== facts.attempt || now.rows > facts.rows)
        throw new ProcessorError(
          'ARCHIVE_DAMAGED',
          `what replaces ${path} must say the same as it does. Found: ${JSON.stringify(written?.metadata)}.`,
        )
      const shift = shiftApart(chunkStarts(written as ParquetFooter), chunkStarts(footer))
      if (shift === 0) return { path, seen, target }
      gapBytes += shift
    } catch (cause) {
      await unlink(target).catch(() => {})
      throw cause
    }
    await unlink(target)
  }
  throw new ProcessorError(
    'ARCHIVE_DAMAGED',
    `${path} has pages wherever new ones could begin. Found: ${seen.size} bytes.`,
  )
}

/** Where the pages of each column begin. A reader with the footer of another file may not find a page there. */
function chunkStarts(footer: ParquetFooter): number[] {
  return footer.file.row_groups.flatMap(({ columns }) =>
    columns.flatMap(({ meta_data: meta }) =>
      [meta?.dictionary_page_offset, meta?.data_page_offset].filter(at => at !== undefined).map(Number),
    ),
  )
}

async function swap(
  archive: ReplaceableArchive,
  ready: readonly Replacement[],
): Promise<{ path: string; done: boolean }[]> {
  if (ready.length === 0) return []
  const folders = new Set<string>()
  const swapped = await whileNobodyReads(archive.dir, async () => {
    const done: { path: string; done: boolean }[] = []
    for (const { path, seen, target } of ready) {
      const full = join(archive.dir, path)
      const current = await statOf(full)
      if (current === undefined) continue // gone by now: retention was faster
      const same = isSame(current, seen)
      if (same) await rename(target, full)
      folders.add(dirname(full))
      done.push({ path, done: same })
    }
    return done
  })
  for (const folder of folders) await syncFolder(folder)
  return swapped
}

async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && a.dev === b.dev && a.size === b.size && a.mtimeNs === b.mtimeNs
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
