import { ProcessorError } from '../errors.ts'
import type { ParquetFooter } from '../parquet/read-footer.ts'
import type { OrderKey, Position } from '../ports.ts'
import type { ArchiveOwner } from './archive-path.ts'

/*
 * Key-value metadata in the footer of every archive file:
 *
 *   headwater.table              event_log | scenario_log
 *   headwater.log                event-log | scenario-log
 *   headwater.partition          decimal
 *   headwater.start              position of the first row's record
 *   headwater.end                position behind the last record that was looked at
 *   headwater.order              order key of the last row's record: [generation, position, index, scenario id]
 *   headwater.rows               decimal
 *   headwater.schema_version     ARCHIVE_SCHEMA_VERSION
 *   headwater.scenario_versions  ["5:3", …] scenario id and version, in scenario_log
 *   headwater.attempt            UUID: tells this file from another owner's of the same name
 */

/** What an archive file says about the range of the log it holds. */
export interface ArchiveFileFacts {
  start: Position
  end: Position
  /** Of the last row. */
  order: OrderKey
  rows: number
  attempt: string
}

/** The footer metadata of a file. */
export function factsMetadata(
  owner: ArchiveOwner,
  facts: ArchiveFileFacts,
  schemaVersion: number,
  scenarioVersions: Iterable<string>,
): Record<string, string> {
  const { generation, position, index, scenarioId } = facts.order
  return {
    'headwater.table': owner.table,
    'headwater.log': owner.log,
    'headwater.partition': String(owner.partition),
    'headwater.start': String(facts.start),
    'headwater.end': String(facts.end),
    'headwater.order': JSON.stringify([generation, position, index, scenarioId]),
    'headwater.rows': String(facts.rows),
    'headwater.schema_version': String(schemaVersion),
    'headwater.scenario_versions': JSON.stringify([...scenarioVersions].sort()),
    'headwater.attempt': facts.attempt,
  }
}

/** What the footer of one of our files says. Throws ARCHIVE_DAMAGED when it is not one of ours. */
export function factsOf(path: string, { metadata, rows }: ParquetFooter): ArchiveFileFacts {
  const start = Number(metadata['headwater.start'] ?? Number.NaN)
  const end = Number(metadata['headwater.end'] ?? Number.NaN)
  const attempt = metadata['headwater.attempt']
  const order = orderOf(metadata['headwater.order'])
  const said = Number(metadata['headwater.rows'] ?? Number.NaN)
  if (
    !Number.isSafeInteger(start) ||
    !Number.isSafeInteger(end) ||
    end <= start ||
    !order ||
    !attempt ||
    said !== rows
  ) {
    throw new ProcessorError(
      'ARCHIVE_DAMAGED',
      `${path} stands where an archive file of Headwater must stand, but its footer does not say what it holds. ` +
        `Move it away. Found: ${JSON.stringify(metadata)}, ${rows} rows.`,
    )
  }
  return { start, end, order, rows, attempt }
}

/** An order key from its JSON list. */
export function orderOf(json: string | undefined): OrderKey | undefined {
  if (json === undefined) return undefined
  let list: unknown
  try {
    list = JSON.parse(json)
  } catch {
    return undefined
  }
  if (!Array.isArray(list) || list.length !== 4 || !list.every(part => Number.isSafeInteger(part))) return undefined
  const [generation, position, index, scenarioId] = list as [number, number, number, number]
  return { generation, position, index, scenarioId }
}
