import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import type { ColumnChunk, FileMetaData, RowGroup } from 'hyparquet'
import { ByteWriter } from 'hyparquet-writer'
import { writeMetadata } from 'hyparquet-writer/src/metadata.js'
import { type PageScratch, type PageTarget, writeColumnChunk } from './column-chunk.ts'
import type { PageCompressor } from './compression.ts'
import type { ParquetColumn } from './parquet-column.ts'

const MAGIC = Buffer.from('PAR1')
/** Bytes kept before they go to the disk. */
const WRITE_BYTES = 256 * 1024

/** What a file says about itself beside its rows. */
export interface ParquetFileOptions {
  columns: readonly ParquetColumn[]
  /** The rows in the order they shall stand in. All columns have as many. */
  order: Uint32Array
  /** Columns the rows are sorted by, as indexes into `columns`. */
  sortedBy: readonly number[]
  /** The footer's key-value metadata. */
  metadata: Readonly<Record<string, string>>
  createdBy: string
  compressor: PageCompressor
  scratch: PageScratch
  /** Zeros between the magic bytes and the first page. Default 0. */
  gapBytes?: number
}

/**
 * Writes a Parquet file (format version 1, one row group, data pages of version 1: what every reader knows) to a new local
 * file and closes it. Resolves with its length. The event loop gets its turn between pages, so no part of the work holds
 * it for longer than one page of 512 KiB takes (about 10 ms).
 */
export async function writeParquet(path: string, options: ParquetFileOptions): Promise<number> {
  const { columns, order, compressor, scratch } = options
  const file = await open(path, 'wx')
  try {
    const target = new FileTarget(file)
    target.write(MAGIC)
    if (options.gapBytes !== undefined) target.write(new Uint8Array(options.gapBytes))
    const chunks: ColumnChunk[] = []
    for (const column of columns) {
      const pages = writeColumnChunk(column, order, target, compressor, scratch)
      let step = pages.next()
      while (!step.done) {
        if (target.waiting >= WRITE_BYTES) await target.flush()
        else await setImmediate()
        step = pages.next()
      }
      chunks.push(step.value)
    }
    target.write(footer(options, chunks))
    target.write(MAGIC)
    await target.flush()
    return target.offset
  } finally {
    await file.close()
  }
}

function footer(
  { columns, order, sortedBy, metadata, createdBy }: ParquetFileOptions,
  chunks: ColumnChunk[],
): Uint8Array {
  let total = 0n
  let compressed = 0n
  for (const { meta_data } of chunks) {
    total += meta_data?.total_uncompressed_size ?? 0n
    compressed += meta_data?.total_compressed_size ?? 0n
  }
  const group: RowGroup = {
    columns: chunks,
    total_byte_size: total,
    num_rows: BigInt(order.length),
    sorting_columns: sortedBy.map(column_idx => ({ column_idx, descending: false, nulls_first: true })),
    total_compressed_size: compressed,
  }
  const meta: FileMetaData = {
    version: 1,
    schema: [{ name: 'schema', num_children: columns.length }, ...columns.map(column => column.schemaElement)],
    num_rows: BigInt(order.length),
    row_groups: order.length > 0 ? [group] : [],
    key_value_metadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    created_by: createdBy,
    metadata_length: 0,
  }
  const writer = new ByteWriter(16 * 1024)
  writeMetadata(writer, meta)
  return writer.getBytes()
}

/** Collects writes and hands them to the file in large ones. */
class FileTarget implements PageTarget {
  offset = 0
  waiting = 0
  readonly #file: FileHandle
  #parts: Uint8Array[] = []

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** Keeps `bytes`; a buffer that is used again is copied. */
  write(bytes: Uint8Array): void {
    this.#parts.push(Uint8Array.prototype.slice.call(bytes))
    this.offset += bytes.length
    this.waiting += bytes.length
  }

  async flush(): Promise<void> {
    const parts = this.#parts
    this.#parts = []
    this.waiting = 0
    // Not `writev`: that may write less than it was given.
    await this.#file.appendFile(Buffer.concat(parts))
  }
}
