import { type FileMetaData, parquetMetadata } from 'hyparquet'
import { ProcessorError } from '../errors.ts'
import type { FileStore, StoredFile } from '../ports.ts'

/** What is read at first of a file's end: the footers of our files are about 4 KiB. */
const TAIL_BYTES = 32 * 1024
/** A longer footer is none of ours. */
const MAX_FOOTER_BYTES = 16 * 1024 * 1024
/** Footer length and magic. */
const END_BYTES = 8
const MAX_TRIES = 10

/** What a Parquet file's footer says. */
export interface ParquetFooter {
  bytes: number
  rows: number
  /** Key-value metadata. */
  metadata: Readonly<Record<string, string>>
  /** All of it, as hyparquet gives it. */
  file: FileMetaData
}

/**
 * Reads the footer of a Parquet file and nothing else of it. `undefined` when there is no such file; rejects with
 * ARCHIVE_DAMAGED when the file does not end as a Parquet file does.
 */
export async function readFooter(files: FileStore, path: string): Promise<ParquetFooter | undefined> {
  for (let found = await files.stat(path), tries = 1; found !== undefined; tries++) {
    try {
      return await readFooterOf(files, found)
    } catch (error) {
      // `forget` may replace a file by a shorter one: then the end was looked for where there is none.
      const now = await files.stat(path)
      if (now?.version === found.version || tries === MAX_TRIES) throw error
      found = now
    }
  }
  return undefined
}

async function readFooterOf(files: FileStore, { path, bytes }: StoredFile): Promise<ParquetFooter> {
  const damaged = (what: string, cause?: unknown): ProcessorError =>
    new ProcessorError('ARCHIVE_DAMAGED', `${path} is no whole Parquet file (${bytes} bytes). Found: ${what}.`, {
      cause,
    })
  if (bytes < END_BYTES + 4) throw damaged('a file too short for a footer')

  let tail = await files.read(path, Math.max(0, bytes - TAIL_BYTES), bytes)
  const magic = Buffer.from(tail.subarray(-4)).toString('latin1')
  if (magic !== 'PAR1') throw damaged(`${JSON.stringify(magic)} where PAR1 must stand`)
  const length = new DataView(tail.buffer, tail.byteOffset + tail.byteLength - END_BYTES, 4).getUint32(0, true)
  if (length > bytes - END_BYTES || length > MAX_FOOTER_BYTES) throw damaged(`a footer of ${length} bytes`)
  if (length + END_BYTES > tail.byteLength) tail = await files.read(path, bytes - length - END_BYTES, bytes)

  let file: FileMetaData
  try {
    file = parquetMetadata(tail, { geoparquet: false })
  } catch (cause) {
    throw damaged(`a footer that cannot be read (${(cause as Error).message})`, cause)
  }
  const metadata: Record<string, string> = {}
  for (const { key, value } of file.key_value_metadata ?? []) metadata[key] = value ?? ''
  return { bytes, rows: Number(file.num_rows), metadata, file }
}
