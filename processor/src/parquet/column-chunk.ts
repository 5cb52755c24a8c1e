import type { ColumnChunk, Encoding, Statistics } from 'hyparquet'
import { ByteWriter } from 'hyparquet-writer'
import { serializeTCompactProtocol } from 'hyparquet-writer/src/thrift.js'
import type { PageCompressor } from './compression.ts'
import { NumberColumn } from './number-column.ts'
import { PageBuffer } from './page-buffer.ts'
import type { ParquetColumn } from './parquet-column.ts'
import { appendHybrid, bitWidth } from './rle-hybrid.ts'
import type { TextColumn } from './text-column.ts'

/** Pages are closed at this size, uncompressed. */
const PAGE_BYTES = 512 * 1024
/** A column of numbers with at most this many distinct ones gets a dictionary. */
const MAX_NUMBERS = 4096

// parquet.thrift: PageType, Encoding. Pages of version 1 name the dictionary as parquet-mr names it there: older readers do
// not know RLE_DICTIONARY, the name of the same encoding in version 2.
const DATA_PAGE = 0
const DICTIONARY_PAGE = 2
const PLAIN = 0
const PLAIN_DICTIONARY = 2
const RLE = 3

/** Memory that the pages of one file after another are built in. */
export class PageScratch {
  readonly page = new PageBuffer(PAGE_BYTES + 64 * 1024)
  indexes = new Int32Array(0)
  levels = new Int32Array(0)

  /** Makes `indexes` and `levels` long enough for `rows`. */
  fit(rows: number): void {
    if (this.indexes.length >= rows) return
    this.indexes = new Int32Array(Math.max(rows, this.indexes.length * 2))
    this.levels = new Int32Array(this.indexes.length)
  }
}

/** What a chunk's pages are written to. `offset` is the file's length so far. */
export interface PageTarget {
  readonly offset: number
  write(bytes: Uint8Array): void
}

/**
 * Writes one column's pages (data pages of version 1) with its rows in the order of `order`, and gives its metadata.
 * A generator: it yields after each page, so that a caller can let others have the processor.
 */
export function* writeColumnChunk(
  column: ParquetColumn,
  order: Uint32Array,
  target: PageTarget,
  compressor: PageCompressor,
  scratch: PageScratch,
): Generator<undefined, ColumnChunk, undefined> {
  const chunk = new ChunkWriter(column, order.length, target, compressor, scratch)
  const statistics: Statistics = { null_count: BigInt(column.values.nulls) }
  if (column.values instanceof NumberColumn) yield* writeNumbers(column.values, order, chunk, statistics)
  else yield* writeTexts(column.values, order, chunk)
  return chunk.metadata(statistics)
}

function* writeTexts(
  values: TextColumn,
  order: Uint32Array,
  chunk: ChunkWriter,
): Generator<undefined, void, undefined> {
  const { scratch } = chunk
  const { page } = scratch
  if (values.wantsDictionary) {
    page.clear()
    for (let entry = 0; entry < values.entries; entry++) values.appendEntry(page, entry)
    chunk.dictionaryPage(values.entries)
    yield
    let count = 0
    for (let i = 0; i < order.length; i++) {
      const entry = values.index[order[i] as number] as number
      if (entry >= 0) scratch.indexes[count++] = entry
      scratch.levels[i] = entry >= 0 ? 1 : 0
    }
    chunk.indexPage(order.length, count, values.entries)
    yield
    return
  }
  let from = 0
  while (from < order.length) {
    // Levels stand before the values, so the page's rows must be known first.
    let bytes = 0
    let to = from
    while (to < order.length && (to === from || bytes < PAGE_BYTES)) {
      const entry = values.index[order[to] as number] as number
      if (entry >= 0) bytes += 4 + (values.offsets[entry + 1] as number) - (values.offsets[entry] as number)
      scratch.levels[to - from] = entry >= 0 ? 1 : 0
      to++
    }
    page.clear()
    chunk.levels(to - from)
    for (let i = from; i < to; i++) {
      const entry = values.index[order[i] as number] as number
      if (entry >= 0) values.appendEntry(page, entry)
    }
    chunk.dataPage(to - from, PLAIN)
    yield
    from = to
  }
}

function* writeNumbers(
  values: NumberColumn,
  order: Uint32Array,
  chunk: ChunkWriter,
  statistics: Statistics,
): Generator<undefined, void, undefined> {
  const { scratch } = chunk
  const { page } = scratch
  const wide = chunk.column.type !== 'int32'
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  let distinct: Map<number, number> | undefined = new Map()
  let last = Number.NaN
  let lastEntry = 0
  let count = 0
  for (let i = 0; i < order.length; i++) {
    const value = values.values[order[i] as number] as number
    const present = !Number.isNaN(value)
    scratch.levels[i] = present ? 1 : 0
    if (!present) continue
    if (value < min) min = value
    if (value > max) max = value
    if (distinct === undefined) continue
    if (value !== last) {
      const known = distinct.get(value)
      lastEntry = known ?? distinct.size
      if (known === undefined) distinct.set(value, lastEntry)
      last = value
      if (distinct.size > MAX_NUMBERS || distinct.size * 2 > order.length + 8) distinct = undefined
    }
    scratch.indexes[count++] = lastEntry
  }
  if (min <= max) {
    statistics.min_value = wide ? BigInt(min) : min
    statistics.max_value = wide ? BigInt(max) : max
  }
  if (distinct !== undefined) {
    page.clear()
    page.reserve(distinct.size * 8)
    for (const value of distinct.keys()) appendNumber(page, value, wide)
    chunk.dictionaryPage(distinct.size)
    chunk.indexPage(order.length, count, distinct.size)
    yield
    return
  }
  const rowsAPage = PAGE_BYTES / 8
  for (let from = 0; from < order.length; from += rowsAPage) {
    const to = Math.min(order.length, from + rowsAPage)
    scratch.levels.copyWithin(0, from, to)
    page.clear()
    chunk.levels(to - from)
    page.reserve((to - from) * 8)
    for (let i = from; i < to; i++) {
      const value = values.values[order[i] as number] as number
      if (!Number.isNaN(value)) appendNumber(page, value, wide)
    }
    chunk.dataPage(to - from, PLAIN)
    yield
  }
}

/** PLAIN encoding of INT64 (`wide`) or INT32: little endian. Room is reserved by the caller. */
function appendNumber(page: PageBuffer, value: number, wide: boolean): void {
  const { bytes } = page
  let at = page.length
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
  at += 4
  if (wide) {
    const high = Math.floor(value / 0x1_0000_0000)
    bytes[at] = high
    bytes[at + 1] = high >>> 8
    bytes[at + 2] = high >>> 16
    bytes[at + 3] = high >>> 24
    at += 4
  }
  page.length = at
}

/** The pages of one column chunk; what they hold is built in `scratch.page`. */
class ChunkWriter {
  readonly column: ParquetColumn
  readonly scratch: PageScratch
  readonly #rows: number
  readonly #target: PageTarget
  readonly #compressor: PageCompressor
  readonly #start: number
  #dictionaryAt: number | undefined
  #dataAt: number | undefined
  #uncompressed = 0
  #encoding: Encoding = 'PLAIN'

  constructor(
    column: ParquetColumn,
    rows: number,
    target: PageTarget,
    compressor: PageCompressor,
    scratch: PageScratch,
  ) {
    this.column = column
    this.scratch = scratch
    this.#rows = rows
    this.#target = target
    this.#compressor = compressor
    this.#start = target.offset
    scratch.fit(rows)
  }

  /** Closes the page in `scratch.page` as the chunk's dictionary. */
  dictionaryPage(entries: number): void {
    this.#dictionaryAt = this.#target.offset
    this.#encoding = 'PLAIN_DICTIONARY'
    this.#page(DICTIONARY_PAGE, { field_7: { field_1: entries, field_2: PLAIN_DICTIONARY } })
  }

  /** A page of `rows` rows: `scratch.levels`, and `scratch.indexes[0 … count)` into a dictionary of `entries`. */
  indexPage(rows: number, count: number, entries: number): void {
    const { page, indexes } = this.scratch
    page.clear()
    this.levels(rows)
    const width = Math.max(1, bitWidth(entries - 1))
    page.appendUint8(width)
    appendHybrid(page, indexes, count, width)
    this.dataPage(rows, PLAIN_DICTIONARY)
  }

  /** Begins a page with the definition levels of `rows` rows; a required column has none. */
  levels(rows: number): void {
    if (this.column.required) return
    const { page, levels } = this.scratch
    const at = page.length
    page.appendUint32(0)
    appendHybrid(page, levels, rows, 1)
    page.bytes.writeUInt32LE(page.length - at - 4, at)
  }

  /** Closes the page in `scratch.page` as one of data. */
  dataPage(rows: number, encoding: number): void {
    this.#dataAt ??= this.#target.offset
    this.#page(DATA_PAGE, { field_5: { field_1: rows, field_2: encoding, field_3: RLE, field_4: RLE } })
  }

  metadata(statistics: Statistics): ColumnChunk {
    const dictionary = this.#dictionaryAt
    return {
      // Deprecated in the format and zero in its newer writers; readers go by the page offsets.
      file_offset: 0n,
      meta_data: {
        type: this.column.physicalType,
        encodings: [this.#encoding, 'RLE'],
        path_in_schema: [this.column.name],
        codec: this.#compressor.codec,
        num_values: BigInt(this.#rows),
        total_uncompressed_size: BigInt(this.#uncompressed),
        total_compressed_size: BigInt(this.#target.offset - this.#start),
        data_page_offset: BigInt(this.#dataAt ?? this.#target.offset),
        dictionary_page_offset: dictionary === undefined ? undefined : BigInt(dictionary),
        statistics,
      },
    }
  }

  #page(type: number, header: Record<`field_${number}`, unknown>): void {
    const plain = this.scratch.page.view()
    const packed = this.#compressor.compress(plain)
    const writer = new ByteWriter(64)
    serializeTCompactProtocol(writer, { field_1: type, field_2: plain.length, field_3: packed.length, ...header })
    const head = writer.getBytes()
    this.#target.write(head)
    this.#target.write(packed)
    this.#uncompressed += head.length + plain.length
  }
}
