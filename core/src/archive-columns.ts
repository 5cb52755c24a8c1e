/** The archive's tables: every accepted event, and every outcome. */
export type ArchiveTable = 'event_log' | 'scenario_log'

/** `text` is UTF-8, `timestamp` is Unix ms in UTC. */
export type ArchiveType = 'text' | 'int32' | 'int64' | 'timestamp'

/**
 * Where a column's value comes from:
 * `own`, a field of the record itself (its name in the record's JSON); `param`, a parameter of the event or a field the
 * scenario keeps; `rest`, all parameters or kept fields that have no column, as one JSON object; `partition` and `offset`,
 * the record's place in its log.
 */
export type ArchiveSource =
  | { from: 'own'; name: string; sameAs?: string }
  | { from: 'param'; name: string }
  | { from: 'rest' }
  | { from: 'partition' }
  | { from: 'offset' }

/** One column. `about` is its line in `docs/reference/archive.md`. */
export interface ArchiveColumn {
  name: string
  type: ArchiveType
  /** A required column has a value in every row. */
  required: boolean
  source: ArchiveSource
  about: string
}

/** Raised when a column is added or changes its meaning; stands in every file's footer. */
export const ARCHIVE_SCHEMA_VERSION = 1

const EVENT_ID = 'The key for de-duplication: `hw_id`, else made by the edge.'
const DATE = 'When it happened, by the edge’s clock.'
const RECEIVED_AT = 'When the edge got it.'
const SOURCE_PARTITION = 'Partition of the log the row was read from.'
const SOURCE_OFFSET = 'Position of the record in that partition.'

/** `sameAs`: this parameter is left out of `params` when it says the same as the column. */
function own(name: string, type: ArchiveType, required: boolean, about: string, sameAs?: string): ArchiveColumn {
  const source: ArchiveSource = sameAs === undefined ? { from: 'own', name } : { from: 'own', name, sameAs }
  return { name, type, required, source, about }
}

function param(name: string, about: string, column = name): ArchiveColumn {
  return { name: column, type: 'text', required: false, source: { from: 'param', name }, about }
}

const TRACKED = [
  param('e_c', 'Event category.'),
  param('e_a', 'Event action.'),
  param('e_n', 'Event name.'),
  param('e_v', 'Event value, as sent.'),
  param('url', 'Page address.'),
  param('urlref', 'Address of the page before.'),
  param('action_name', 'Page title.'),
  param('_idn', '`1`: a new visitor.'),
  param('cookie', '`1`: the browser takes cookies.'),
  param('res', 'Screen resolution, `1920x1080`.'),
]

const SOURCE: ArchiveColumn[] = [
  {
    name: 'source_partition',
    type: 'int32',
    required: true,
    source: { from: 'partition' },
    about: SOURCE_PARTITION,
  },
  { name: 'source_offset', type: 'int64', required: true, source: { from: 'offset' }, about: SOURCE_OFFSET },
]

function rest(about: string): ArchiveColumn {
  return { name: 'params', type: 'text', required: false, source: { from: 'rest' }, about }
}

/** Columns of `event_log` in file order: every accepted event with all its parameters. Unique by `event_id`. */
export const EVENT_COLUMNS: readonly ArchiveColumn[] = [
  own('event_id', 'text', true, EVENT_ID, 'hw_id'),
  own('scenario_id', 'int64', false, 'The scenario of the path `/{scenario_id}`.'),
  own('site_id', 'int64', false, 'The site of `idsite`.', 'idsite'),
  own('date', 'timestamp', true, DATE),
  own('received_at', 'timestamp', true, RECEIVED_AT),
  ...TRACKED,
  own('member_id', 'text', false, '`memberId`, else `uid`.', 'memberId'),
  own('visitor_id', 'text', false, '`_id`: 16 hex digits.', '_id'),
  own('ip', 'text', true, 'Client address as the edge logged it, anonymised by configuration.'),
  own('user_agent', 'text', true, 'As the client sent it.'),
  rest('All other parameters as a JSON object of texts; of a repeated name the last value.'),
  ...SOURCE,
]

/** Columns of `scenario_log` in file order: every outcome. Unique by `event_id`, `scenario_id`. */
export const OUTCOME_COLUMNS: readonly ArchiveColumn[] = [
  own('event_id', 'text', true, 'The event that was judged.'),
  own('scenario_id', 'int64', true, 'The scenario that judged it.'),
  own('scenario_version', 'int64', true, 'The scenario’s version at that time.'),
  own('judging_version', 'int64', true, 'Rises only when what is judged changes.'),
  own('success', 'int32', true, '1 when the scenario’s filters hold, else 0.'),
  own('date', 'timestamp', true, DATE),
  own('received_at', 'timestamp', true, RECEIVED_AT),
  ...TRACKED,
  param('h', 'Hour 0–23 in the scenario’s zone.'),
  param('memberId', 'Known user.', 'member_id'),
  param('_id', 'Visitor: 16 hex digits.', 'visitor_id'),
  rest('All other kept fields as a JSON object of texts.'),
  ...SOURCE,
]

/** The columns of a table in file order. A field the scenario does not keep is null in `scenario_log`. */
export const ARCHIVE_COLUMNS: Readonly<Record<ArchiveTable, readonly ArchiveColumn[]>> = {
  event_log: EVENT_COLUMNS,
  scenario_log: OUTCOME_COLUMNS,
}
