import { randomUUID } from 'node:crypto'
import { mkdir, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ProcessorError } from '../errors.ts'
import { type ParquetFooter, readFooter } from '../parquet/read-footer.ts'
import type { FileStore, Replacement, StoredFile } from '../ports.ts'
import { factsOf } from '../sinks/archive-file-facts.ts'
import { localFileStore } from '../stores/local-file-store.ts'
import { shiftApart } from './shift-apart.ts'

/** Somebody else replaced the file meanwhile: so often at most it is begun again. */
const MAX_TRIES = 5
/** Files that change places together: queries wait for all of them at once, and so much disk is needed twice. */
const SWAP_FILES = 64
const SWAP_BYTES = 256 * 1024 * 1024
/** Zeros in front of the first page of what is written first. Where its pages begin says how many there must be. */
const FIRST_GAP_BYTES = 64
const MAX_GAPS = 3

/** Where files are replaced, and where new ones are written. */
export interface ReplaceableArchive {
  files: FileStore
  /** Local folder for files while they are encoded, as of the archive sink. */
  tempDir: string
  /** Begins nothing more when it aborts; what is written takes its place. */
  stop?: AbortSignal | undefined
}

/**
 * Writes the new file of `file` at `target`, with so many zeros in front of its first page (`writeParquet`); the footer must say the
 * same start, end, order key and attempt as the old one. 'unneeded' when the file shall stay as it is; 'changed' when it is another
 * one by now. May be called again.
 */
export type WriteReplacement = (
  file: StoredFile,
  footer: ParquetFooter,
  target: string,
  gapBytes: number,
) => Promise<'written' | 'unneeded' | 'changed'>

interface Ready extends Replacement {
  bytes: number
}

/**
 * Puts files with fewer rows in the place of published ones. Resolves with the paths that were replaced; files that are gone by now
 * are not among them.
 *
 * The new file waits below `_tmp`, where no reader looks. One step of the store (`FileStore.replace`) is the whole change: kill -9 at
 * any moment leaves the old file or the new one, and who opens the path once has one of them to the end. Who opens it twice and is
 * not known to the store, and so finds the footer of the one and the pages of the other, meets zeros where the old footer says that
 * a page begins, and gets an error instead of wrong rows. Two who replace the same file (a second forget, retention) take turns, and
 * the later one begins again when the file is no longer the one it has read.
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
  const isStopped = (): boolean => archive.stop?.aborted === true
  const replaced: string[] = []
  let waiting = [...paths]
  for (let tries = 0; waiting.length > 0 && !isStopped(); tries++) {
    if (tries === MAX_TRIES)
      throw new ProcessorError(
        'STORE_UNAVAILABLE',
        `${waiting[0]} is replaced by others again and again. Try again later.`,
        { retryable: true },
      )
    const again: string[] = []
    for (let next = 0; next < waiting.length && !isStopped(); ) {
      const ready: Ready[] = []
      try {
        for (let bytes = 0; next < waiting.length && ready.length < SWAP_FILES && bytes < SWAP_BYTES; next++) {
          if (isStopped()) break
          const path = waiting[next] as string
          const prepared = await prepare(archive, path, write)
          if (prepared === 'changed') again.push(path)
          if (typeof prepared === 'string') continue
          ready.push(prepared)
          bytes += prepared.bytes
        }
        for (const [i, outcome] of (await archive.files.replace(ready)).entries()) {
          const { final } = ready[i] as Ready
          if (outcome === 'changed') again.push(final)
          if (outcome !== 'replaced') continue
          replaced.push(final)
          onReplaced(final)
        }
      } finally {
        for (const { temporary } of ready) await archive.files.remove(temporary).catch(() => {})
      }
    }
    waiting = again
  }
  return replaced
}

/** Writes what is to take the place of `path`, and uploads it. */
async function prepare(
  { files, tempDir }: ReplaceableArchive,
  path: string,
  write: WriteReplacement,
): Promise<Ready | 'gone' | 'unneeded' | 'changed'> {
  const file = await files.stat(path)
  const footer = file && (await readFooter(files, path))
  if (file === undefined || footer === undefined) return 'gone'
  // The footer of another one would be compared with this one's rows.
  if ((await files.stat(path))?.version !== file.version) return 'changed'
  const [table = '', , , name = ''] = path.split('/')
  await mkdir(tempDir, { recursive: true })
  // The archive sink removes what bears such a name and is a day old, there and below `_tmp`: also what a killed forget left.
  const attempt = `${name}.${randomUUID()}`
  const target = join(tempDir, `${table}+${attempt}`)
  try {
    const written = await writeApart({ file, footer, target }, write)
    if (written !== 'written') return written
    const temporary = `_tmp/${table}/${attempt}`
    try {
      await files.put(target, temporary)
    } catch (cause) {
      await files.remove(temporary).catch(() => {})
      throw cause
    }
    return { temporary, final: path, version: file.version, bytes: file.bytes }
  } finally {
    await unlink(target).catch(() => {})
  }
}

/** Writes the file so that none of its pages begins where one of the old file does. */
async function writeApart(
  { file, footer, target }: { file: StoredFile; footer: ParquetFooter; target: string },
  write: WriteReplacement,
): Promise<'written' | 'unneeded' | 'changed'> {
  const facts = factsOf(file.path, footer)
  let gapBytes = FIRST_GAP_BYTES
  for (let tries = 0; tries < MAX_GAPS; tries++) {
    const outcome = await write(file, footer, target, gapBytes)
    if (outcome !== 'written') return outcome
    const written = await readFooter(localFileStore(dirname(target)), basename(target))
    const now = written && factsOf(file.path, written)
    if (now?.start !== facts.start || now.end !== facts.end || now.attempt !== facts.attempt || now.rows > facts.rows)
      throw new ProcessorError(
        'ARCHIVE_DAMAGED',
        `what replaces ${file.path} must say the same as it does. Found: ${JSON.stringify(written?.metadata)}.`,
      )
    const shift = shiftApart(chunkStarts(written as ParquetFooter), chunkStarts(footer))
    if (shift === 0) return 'written'
    gapBytes += shift
    await unlink(target)
  }
  throw new ProcessorError(
    'ARCHIVE_DAMAGED',
    `${file.path} has pages wherever new ones could begin. Found: ${file.bytes} bytes.`,
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
