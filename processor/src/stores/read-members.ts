import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import type { Member } from '@headwater/core'
import { CsvError, type Info, parse } from 'csv-parse'
import { ProcessorError } from '../errors.ts'

/** All members of one state of a file. */
export interface Members {
  byId: ReadonlyMap<string, Member>
  /** The attributes' names, without the id's. */
  columns: ReadonlySet<string>
}

const ID_COLUMNS = ['member_id', 'memberId']
const MAX_COLUMNS = 100
const MAX_NAME_LENGTH = 200
/** Characters of one value, and of one line. */
const MAX_VALUE_LENGTH = 8 * 1024
const MAX_LINE_LENGTH = 256 * 1024
/** Values that occur again and again (`MALE`, a city) are kept once; beyond so many different ones that does not pay. */
const MAX_SHARED_VALUES = 4_096
const MAX_SHARED_LENGTH = 32

/**
 * Reads a member file, CSV (RFC 4180) or NDJSON; the first character decides: `{` begins NDJSON.
 *
 * CSV: a header, then a member a line; separator comma, quotes doubled, LF or CRLF, UTF-8 with or without a byte order
 * mark. The id is the column `member_id` or `memberId`, else the first. An empty value is no attribute, as NULL in a table.
 * NDJSON: an object a line with `member_id` or `memberId`; texts, numbers and booleans; null is no attribute.
 * Ids must be there and differ. Rejects with MEMBERS_INVALID, line number and value, or STORE_UNAVAILABLE; both retryable,
 * for the file may be repaired.
 */
export async function readMembers(file: string): Promise<Members> {
  const name = basename(file)
  const builder = new MembersBuilder(name)
  try {
    const chunks = utf8Chunks(file, name)
    const first = await chunks.next()
    const start = first.done ? '' : first.value.replace(/^\ufeff/, '')
    if (start.trimStart().startsWith('{')) await readNdjson(chained(start, chunks), builder)
    else await readCsv(chained(start, chunks), builder)
  } catch (cause) {
    if (cause instanceof ProcessorError) throw cause
    throw new ProcessorError('STORE_UNAVAILABLE', `${file} cannot be read. Found: ${(cause as Error).message}.`, {
      retryable: true,
      cause,
    })
  }
  return builder.members()
}

/** Makes members out of rows, one shape for all rows of a header, and checks what both formats share. */
class MembersBuilder {
  readonly #file: string
  readonly #byId = new Map<string, Member>()
  readonly #columns = new Set<string>()
  readonly #shared = new Map<string, string>()

  constructor(file: string) {
    this.#file = file
  }

  fault(line: number, expected: string, found: unknown): ProcessorError {
    const text = JSON.stringify(found) ?? String(found)
    return new ProcessorError(
      'MEMBERS_INVALID',
      `${this.#file}:${line}: ${expected} Found: ${text.length > 200 ? `${text.slice(0, 200)}…` : text}.`,
      { retryable: true },
    )
  }

  addColumn(column: string, line: number): void {
    if (this.#columns.has(column)) return
    if (column === '' || column.length > MAX_NAME_LENGTH) {
      throw this.fault(line, `A column's name must have 1 to ${MAX_NAME_LENGTH} characters.`, column)
    }
    if (this.#columns.size === MAX_COLUMNS)
      throw this.fault(line, `Members have at most ${MAX_COLUMNS} columns.`, column)
    this.#columns.add(column)
  }

  value(text: string, line: number): string {
    if (text.length > MAX_VALUE_LENGTH) {
      throw this.fault(line, `A value must have at most ${MAX_VALUE_LENGTH} characters.`, text)
    }
    if (text.length > MAX_SHARED_LENGTH) return text
    const shared = this.#shared.get(text)
    if (shared !== undefined) return shared
    if (this.#shared.size < MAX_SHARED_VALUES) this.#shared.set(text, text)
    return text
  }

  add(id: string, member: Member, line: number): void {
    if (id === '' || id.length > MAX_NAME_LENGTH) {
      throw this.fault(line, `A member's id must have 1 to ${MAX_NAME_LENGTH} characters.`, id)
    }
    if (this.#byId.has(id)) throw this.fault(line, 'A member must stand once.', id)
    this.#byId.set(id, member)
  }

  members(): Members {
    return { byId: this.#byId, columns: this.#columns }
  }
}

/**
 * A member without attributes. It inherits nothing, so that a column or a filter named `constructor` or `__proto__` finds
 * what the file says and nothing else; made by a function and not by `Object.create(null)`, whose objects V8 keeps as hash
 * tables, four times the size.
 */
const EmptyMember = function EmptyMember() {} as unknown as new () => Record<string, string>
EmptyMember.prototype = Object.create(null)

async function readCsv(chunks: AsyncIterable<string>, builder: MembersBuilder): Promise<void> {
  const parser = parse({
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_LINE_LENGTH,
  })
  // Errors come out of the loop below as well: this only keeps the pipe's own end from being an unhandled rejection.
  const fed = feed(chunks, parser).catch(error => parser.destroy(error as Error))
  let header: string[] | undefined
  let idIndex = 0
  // csv-parse counts the line behind the record; a record over several lines begins earlier.
  let line = 1
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: Info }>) {
      if (header === undefined) {
        header = record.map(column => column.trim())
        idIndex = Math.max(
          0,
          header.findIndex(column => ID_COLUMNS.includes(column)),
        )
        const twice = header.find((column, i) => header?.indexOf(column) !== i)
        if (twice !== undefined) throw builder.fault(info.lines, 'A column must stand once in the header.', twice)
        for (const [i, column] of header.entries()) if (i !== idIndex) builder.addColumn(column, info.lines)
      } else {
        if (record.length !== header.length) {
          const expected = `A line must have ${header.length} values, one for each column.`
          throw builder.fault(info.lines, expected, record.join(','))
        }
        const member = new EmptyMember()
        for (let i = 0; i < header.length; i++) {
          const text = record[i] as string
          if (i !== idIndex && text !== '') member[header[i] as string] = builder.value(text, info.lines)
        }
        builder.add(record[idIndex] as string, member, info.lines)
      }
      line = info.lines + 1
    }
    await fed
  } catch (error) {
    if (error instanceof CsvError)
      throw builder.fault(Number(error.lines ?? line), 'A line must be CSV.', error.message)
    throw error
  }
  if (header === undefined) throw builder.fault(1, 'A CSV file must begin with a header.', '')
}

async function feed(chunks: AsyncIterable<string>, parser: ReturnType<typeof parse>): Promise<void> {
  for await (const chunk of chunks) {
    if (parser.destroyed) return
    if (!parser.write(chunk)) {
      await new Promise<void>(resolve => {
        const go = (): void => {
          parser.off('drain', go).off('close', go)
          resolve()
        }
        parser.on('drain', go).on('close', go)
      })
    }
  }
  parser.end()
}

async function readNdjson(chunks: AsyncIterable<string>, builder: MembersBuilder): Promise<void> {
  let number = 0
  for await (const line of linesOf(chunks)) {
    number++
    if (line.length > MAX_LINE_LENGTH)
      throw builder.fault(number, `A line has at most ${MAX_LINE_LENGTH} characters.`, line)
    if (line.trim() === '') continue
    let row: unknown
    try {
      row = JSON.parse(line)
    } catch {
      throw builder.fault(number, 'A line must be a JSON object.', line)
    }
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      throw builder.fault(number, 'A line must be a JSON object.', row)
    }
    addObject(row, number, builder)
  }
}

function addObject(row: object, line: number, builder: MembersBuilder): void {
  const idColumn = ID_COLUMNS.find(column => Object.hasOwn(row, column))
  if (idColumn === undefined) throw builder.fault(line, 'A member must have a member_id.', row)
  const member = new EmptyMember()
  let id = ''
  for (const [column, value] of Object.entries(row)) {
    if (column !== idColumn) builder.addColumn(column, line)
    if (value === null) continue
    if (typeof value === 'object') {
      throw builder.fault(line, `${column} must be a text, number, boolean or null.`, value)
    }
    if (column === idColumn) id = String(value)
    else member[column] = builder.value(String(value), line)
  }
  builder.add(id, member, line)
}

/** The lines of a text in pieces, without their ends. One that grows beyond the limit is handed over as it is. */
async function* linesOf(chunks: AsyncIterable<string>): AsyncIterable<string> {
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() as string
    yield* lines
    if (rest.length > MAX_LINE_LENGTH) break
  }
  yield rest
}

async function* chained(first: string, rest: AsyncIterable<string>): AsyncIterable<string> {
  yield first
  yield* rest
}

/** The file's text. A file in another encoding (Excel's CP949, say) is refused, not filled with replacement characters. */
async function* utf8Chunks(file: string, name: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let lines = 1
  const notUtf8 = (): ProcessorError =>
    new ProcessorError('MEMBERS_INVALID', `${name}: the file must be UTF-8. Found: other bytes behind line ${lines}.`, {
      retryable: true,
    })
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true })
    } catch {
      throw notUtf8()
    }
  }
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    const text = decode(chunk)
    yield text
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++
  }
  const last = decode()
  if (last !== '') yield last
}
