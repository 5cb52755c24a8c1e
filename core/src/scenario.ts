/** One condition. `right` is text in the seeds; numbers and booleans in a hand-written file are read as their text. */
export interface ScenarioFilter {
  left: string
  operator: string
  right: string
}

/** A nested group in place of a filter (depth ≤ 5, ≤ 100 filters in all). */
export interface ScenarioFilterGroup {
  logical_operator: 'AND' | 'OR'
  filters: ReadonlyArray<ScenarioFilter | ScenarioFilterGroup>
}

/** A user's question: which fields to keep, which conditions make an event a success. Names are the seeds' JSON names. */
export interface Scenario extends ScenarioFilterGroup {
  scenario_id: number
  title: string
  manager: string
  /** 1 keeps a field, 0 removes it, a field not named is not kept; `"*": 1` keeps all that is not named 0. */
  log_format: Readonly<Record<string, 0 | 1>>
  enabled: boolean
  site_id: number | null
  /** IANA zone in which `h` and `weekday` are judged; null: the site's. */
  timezone: string | null
  version: number
  judging_version: number
}
