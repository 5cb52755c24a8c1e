import { setTimeout as pause } from 'node:timers/promises'
import type { KafkaConnection } from '@headwater/processor/distributed'
import type { Config } from './config.ts'
import { groupOf, topicsOf } from './distributed-parts.ts'
import { groupProgress, topicEnds } from './group-progress.ts'

/** Beyond `archive.rollEveryMs`, after which every open file is published. */
const SLACK_MS = 60_000
const LOOK_EVERY_MS = 500

export interface UntilArchivedOptions {
  kafka: KafkaConnection
  config: Config
  /** False: say at once how it stands. */
  wait: boolean
  /** Called now and then with how many records are still to come, of how many at first. */
  onWaiting?: (left: number, of: number) => void
}

/**
 * Waits until all that Kafka has now is in published archive files: until the filter has judged the lines, then until the archive
 * workers have committed, which they do behind a file that is published. Resolves with how many lines, events and outcomes are not
 * there yet: it does not wait for a stage that no worker runs, nor longer than an archive file may stay open.
 */
export async function untilArchived({ kafka, config, wait, onWaiting }: UntilArchivedOptions): Promise<number> {
  const deadline = performance.now() + config.archive.rollEveryMs + SLACK_MS
  const topics = topicsOf(config)

  async function until(stage: string, topic: string): Promise<number> {
    const ends = await topicEnds(kafka, topic)
    let first: number | undefined
    for (;;) {
      const { behind, members } = await groupProgress(kafka, groupOf(config, stage), topic, ends)
      if (behind === 0 || members === 0 || !wait || performance.now() > deadline) return behind
      first ??= behind
      onWaiting?.(behind, first)
      await pause(LOOK_EVERY_MS)
    }
  }

  const lines = await until('filter', topics.accessLog)
  const [events, outcomes] = await Promise.all([
    until('archive-event-log', topics.eventLog),
    until('archive-scenario-log', topics.scenarioLog),
  ])
  return lines + events + outcomes
}
