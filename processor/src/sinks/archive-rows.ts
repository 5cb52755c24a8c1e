import {
  ARCHIVE_COLUMNS,
  type ArchiveTable,
  type ArchiveValue,
  decodeEvent,
  decodeOutcome,
  eventRow,
  outcomeRow,
} from '@headwater/core'
import { NumberColumn } from '../parquet/number-column.ts'
import { ParquetColumn } from '../parquet/parquet-column.ts'
import { TextColumn } from '../parquet/text-column.ts'
import type { LogEntry, PartitionId } from '../ports.ts'
import { ArchiveRecord } from './archive-record.ts'

/** The rows of one table that wait to be written, by columns. */
export class ArchiveRows {
  readonly columns: readonly ParquetColumn[]
  /** Versions of scenarios met, `5:3`; in `scenario_log` only. */
  readonly scenarioVersions = new Set<string>()
  readonly #table: ArchiveTable
  readonly #record: ArchiveRecord
  readonly #texts: { at: number; values: TextColumn }[] = []
  readonly #numbers: { at: number; values: NumberColumn }[] = []
  readonly #rest: TextColumn
  readonly #partition: NumberColumn
  readonly #offset: NumberColumn
  readonly #scenario: NumberColumn
  readonly #scenarioAt: number
  /** In `scenario_log` only. */
  readonly #version: NumberColumn | undefined
  #lastScenario = Number.NaN
  #lastVersion = Number.NaN

  constructor(table: ArchiveTable) {
    this.#table = table
    const specs = ARCHIVE_COLUMNS[table]
    this.#record = new ArchiveRecord(specs, table === 'scenario_log')
    this.columns = specs.map(({ name, type, required }) => new ParquetColumn(name, type, required))
    const special: Partial<Record<'rest' | 'partition' | 'offset', TextColumn | NumberColumn>> = {}
    specs.forEach(({ source }, at) => {
      const { values } = this.columns[at] as ParquetColumn
      if (source.from === 'rest' || source.from === 'partition' || source.from === 'offset') {
        special[source.from] = values
      } else if (values instanceof TextColumn) this.#texts.push({ at, values })
      else this.#numbers.push({ at, values })
    })
    this.#rest = special.rest as TextColumn
    this.#partition = special.partition as NumberColumn
    this.#offset = special.offset as NumberColumn
    this.#scenarioAt = specs.findIndex(column => column.name === 'scenario_id')
    this.#version = this.columns.find(column => column.name === 'scenario_version')?.values as NumberColumn | undefined
    this.#scenario = (this.columns[this.#scenarioAt] as ParquetColumn).values as NumberColumn
  }

  get count(): number {
    return this.#offset.rows
  }

  /** Memory that the rows need, bytes: what the limit of an open file is compared with. */
  get bytes(): number {
    let bytes = 0
    for (const { values } of this.columns) bytes += values.heldBytes
    return bytes
  }

  /** Adds the row of a record. Throws `RecordError` when the record is none; then nothing is added. */
  add(entry: LogEntry, partition: PartitionId): void {
    const record = this.#record
    if (record.read(entry.value)) this.#addRecord()
    else this.#addRow(this.#decode(entry, partition))
    this.#partition.add(partition)
    this.#offset.add(entry.offset)
    if (this.#version !== undefined) this.#noteVersion(this.#version)
  }

  /** Rows by scenario, those of one scenario (or of none, first) in the log's order. */
  order(): Uint32Array {
    const { count } = this
    const scenarios = this.#scenario.values
    const byScenario = new Map<number, number>()
    for (let row = 0; row < count; row++) {
      const scenario = scenarios[row] as number
      byScenario.set(scenario, (byScenario.get(scenario) ?? 0) + 1)
    }
    const starts = new Map<number, number>()
    let start = 0
    for (const scenario of [...byScenario.keys()].sort((a, b) =>
      Number.isNaN(a) ? -1 : Number.isNaN(b) ? 1 : a - b,
    )) {
      starts.set(scenario, start)
      start += byScenario.get(scenario) as number
    }
    const order = new Uint32Array(count)
    for (let row = 0; row < count; row++) {
      const scenario = scenarios[row] as number
      const at = starts.get(scenario) as number
      order[at] = row
      starts.set(scenario, at + 1)
    }
    return order
  }

  /** The column that rows are sorted by, as an index into `columns`. */
  get sortedBy(): number {
    return this.#scenarioAt
  }

  clear(): void {
    for (const { values } of this.columns) values.clear()
    this.scenarioVersions.clear()
    this.#lastScenario = Number.NaN
    this.#lastVersion = Number.NaN
  }

  #addRecord(): void {
    const record = this.#record
    const { bytes, starts, ends, numbers } = record
    for (const { at, values } of this.#texts) {
      const start = starts[at] as number
      if (start < 0) values.addNull()
      else values.add(bytes, start, ends[at] as number)
    }
    for (const { at, values } of this.#numbers) values.add(numbers[at] as number)
    if (record.restLength === 0) this.#rest.addNull()
    else this.#rest.add(record.rest, 0, record.restLength)
  }

  #decode(entry: LogEntry, partition: PartitionId): ArchiveValue[] {
    const place = { partition, offset: entry.offset }
    return this.#table === 'event_log'
      ? eventRow(decodeEvent(entry.value.toString()), place)
      : outcomeRow(decodeOutcome(entry.value.toString()), place)
  }

  #addRow(row: readonly ArchiveValue[]): void {
    row.forEach((value, at) => {
      const { values } = this.columns[at] as ParquetColumn
      if (values === this.#partition || values === this.#offset) return
      if (values instanceof NumberColumn) values.add(typeof value === 'number' ? value : Number.NaN)
      else if (typeof value !== 'string') values.addNull()
      else {
        const bytes = Buffer.from(value, 'utf8')
        values.add(bytes, 0, bytes.length)
      }
    })
  }

  #noteVersion(versions: NumberColumn): void {
    const row = this.count - 1
    const scenario = this.#scenario.values[row] as number
    const version = versions.values[row] as number
    if (scenario === this.#lastScenario && version === this.#lastVersion) return
    this.#lastScenario = scenario
    this.#lastVersion = version
    this.scenarioVersions.add(`${scenario}:${version}`)
  }
}
