import type { FieldReader } from './field-name.ts'
import type { JsonBytes } from './json-bytes.ts'
import type { Member } from './member.ts'
import type { Outcome } from './outcome.ts'
import type { Params } from './params.ts'
import type { PlainEvent } from './plain-event.ts'

/** One field that a scenario keeps of each event. */
export interface KeptColumn {
  name: string
  /** `"name":` in UTF-8. */
  json: Uint8Array
  read: FieldReader
  /** Where the event read last has it, when it is a parameter of a plain one: see `EventFields.indexOf`; else −1. */
  index(): number
}

/**
 * The outcome of a plain event: what is kept stays in the event's line until somebody asks, and the record of the scenario
 * log is a copy of its bytes. Of use as long as the event is.
 */
export class PlainOutcome implements Outcome {
  readonly eventId: string
  readonly scenarioId: number
  readonly scenarioVersion: number
  readonly judgingVersion: number
  readonly success: 0 | 1
  readonly date: number
  readonly receivedAt: number
  readonly #event: PlainEvent
  readonly #columns: readonly KeptColumn[]
  /** By column: the text, the number of the event's parameter, or `undefined` for a field that is missing. */
  readonly #values: (string | number | undefined)[] = []

  /** Takes the kept fields of the event that was read last, which is `event`. */
  constructor(
    event: PlainEvent,
    { scenario_id, version, judging_version }: { scenario_id: number; version: number; judging_version: number },
    success: 0 | 1,
    columns: readonly KeptColumn[],
    member: Member | undefined,
  ) {
    this.eventId = event.eventId
    this.scenarioId = scenario_id
    this.scenarioVersion = version
    this.judgingVersion = judging_version
    this.success = success
    this.date = event.date
    this.receivedAt = event.receivedAt
    this.#event = event
    this.#columns = columns
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i] as KeptColumn
      const index = column.index()
      this.#values.push(index >= 0 ? index : column.read(member))
    }
  }

  get fields(): Params {
    const fields: string[] = []
    this.#columns.forEach(({ name }, i) => {
      const value = this.#values[i]
      if (value !== undefined) fields.push(name, typeof value === 'number' ? this.#event.valueAt(value) : value)
    })
    return fields
  }

  /** Appends the fields as they stand in the record: `"name":"value",` each. */
  appendFields(out: JsonBytes): void {
    for (let i = 0; i < this.#columns.length; i++) {
      const value = this.#values[i]
      if (value === undefined) continue
      const { json } = this.#columns[i] as KeptColumn
      out.copy(json, 0, json.length)
      if (typeof value === 'number') this.#event.appendValue(out, value)
      else out.text(value)
      out.ascii(',')
    }
  }
}
