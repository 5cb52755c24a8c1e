/** The topics by what they hold. */
export interface TopicNames {
  /** Input: access-log lines. */
  accessLog: string
  eventLog: string
  scenarioLog: string
  /** Hashes of event ids, for the duplicate window. */
  eventIds: string
  deadLetter: string
}

/** The topics' names; `prefix` stands before each, for several installations on one cluster. */
export function topicNames(prefix = ''): TopicNames {
  return {
    accessLog: `${prefix}access-log`,
    eventLog: `${prefix}event-log`,
    scenarioLog: `${prefix}scenario-log`,
    eventIds: `${prefix}event-ids`,
    deadLetter: `${prefix}dead-letter`,
  }
}
