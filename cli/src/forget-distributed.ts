import { expireArchive, type ForgetSubject, forget, removeLeftUploads } from '@headwater/processor'
import { type KafkaConnection, lookAtTopics } from '@headwater/processor/distributed'
import type { Config } from './config.ts'
import { archiveCopyOf } from './copy-archive.ts'
import { dataFolder } from './data-folder.ts'
import { archiveFilesOf, kafkaOf, topicsOf } from './distributed-parts.ts'
import { expiredSentence, type ForgetCommandOptions, forgottenSentences, refused, rowsLeft } from './forget-report.ts'
import { processLog } from './process-log.ts'
import { progressLine } from './progress-line.ts'
import { archivingOf } from './stage-options.ts'
import { untilArchived } from './until-archived.ts'

/** An upload takes seconds; what is older was left by a crash. */
const LEFT_UPLOAD_MS = 3_600_000
const DAY_MS = 86_400_000

/** A topic that still holds what came in, until Kafka's retention deletes it. */
interface RemainingTopic {
  topic: string
  /** What of a person is in it. */
  holds: string
  /** `retention.ms`; undefined: for ever. */
  retentionMs: number | undefined
}

/**
 * `headwater forget` of the distributed mode: the archive of all partitions, while workers run. What it reads is copied into the data
 * folder, as for a query. `subject` undefined: what is over `archive.keepDays`.
 */
export async function forgetDistributed(
  config: Config,
  subject: ForgetSubject | undefined,
  options: ForgetCommandOptions,
): Promise<void> {
  if (options.logs === true)
    throw refused('--logs is for one machine; Kafka and the edges delete what they have after their own time')
  const log = processLog('warn')
  const folder = dataFolder(config.dataDir)
  const files = archiveFilesOf(config, folder, log)
  const { tempDir } = archivingOf(config, folder)
  if (subject === undefined) {
    const { keepDays } = config.archive
    console.log(expiredSentence(keepDays, await expireArchive({ files, tempDir, keepDays, log })))
    return
  }
  const dryRun = options.dryRun === true
  const kafka = kafkaOf(config, log)
  const waiting = progressLine(process.stderr, 'records to be archived')
  const progress = progressLine(process.stderr, 'steps')
  try {
    let unarchived = 0
    let steps = 0
    const forgotten = await forget({
      subject,
      files,
      copy: await archiveCopyOf(config, folder),
      tempDir,
      settle: async () => {
        const onWaiting = (left: number, of: number) => waiting.show(left, 1 - left / of)
        unarchived = await untilArchived({ kafka, config, wait: !dryRun, onWaiting })
        waiting.end()
        return unarchived === 0
      },
      dryRun,
      codec: config.archive.codec,
      onProgress: (_, done) => progress.show(++steps, done),
    })
    progress.end()
    if (!dryRun) await removeLeftUploads(files, LEFT_UPLOAD_MS)
    const topics = await remainingTopics(config, kafka)
    if (options.json === true) console.log(JSON.stringify({ ...forgotten, unarchived, remains: { topics } }, null, 2))
    else {
      for (const sentence of forgottenSentences(forgotten, subject, dryRun)) console.log(sentence)
      for (const sentence of remainSentences(topics, unarchived, Date.now())) console.log(sentence)
    }
    // Under traffic there is always something under way: a dry run did not wait for it.
    if (!dryRun && rowsLeft(forgotten) + unarchived > 0) process.exitCode = 1
  } finally {
    waiting.end()
    progress.end()
    await kafka.close()
  }
}

async function remainingTopics(config: Config, kafka: KafkaConnection): Promise<RemainingTopic[]> {
  const names = topicsOf(config)
  const { retentionMs } = config.topics
  const reports = await lookAtTopics(kafka, names, { retentionMs })
  const holds: [string, string][] = [
    [names.accessLog, 'every request as it came'],
    [names.eventLog, 'every event, judged'],
    [names.scenarioLog, 'what the scenarios keep'],
    [names.deadLetter, 'requests that became no event'],
    [names.eventIds, 'hashes of event ids: no visitor and no member'],
  ]
  return holds.map(([topic, what]) => {
    const differences = reports.find(report => report.topic === topic)?.differences ?? []
    const found = differences.find(({ setting }) => setting === 'retention.ms')?.found
    const kept = found === undefined ? retentionMs : Number(found)
    return { topic, holds: what, retentionMs: kept < 0 ? undefined : kept }
  })
}

function remainSentences(topics: readonly RemainingTopic[], unarchived: number, now: number): string[] {
  const said: string[] = []
  if (unarchived > 0)
    said.push(
      `! At most ${unarchived} lines, events and outcomes wait in Kafka and are not in the archive yet: a worker is missing, or ` +
        'behind ("headwater doctor" says which). Run this command again when they have passed.',
    )
  said.push(
    'Kafka is not rewritten. It deletes whole segments, the last one when it is full or its segment.ms is over:',
  )
  for (const { topic, holds, retentionMs } of topics)
    said.push(
      retentionMs === undefined
        ? `  ${topic}: ${holds}; for ever (retention.ms is -1)`
        : `  ${topic}: ${holds}; ${daysText(retentionMs)}, until ${new Date(now + retentionMs).toISOString()}`,
    )
  said.push(
    'Access logs on the edges are not rewritten either. What they hold that Kafka has not got yet is archived after this: when an edge ' +
      'was behind, run this command again.',
    'Hosts where query, replay, doctor or stats rebuild ran have a copy of the archive in their data folder: the next one brings it up to date.',
  )
  return said
}

function daysText(ms: number): string {
  const days = ms / DAY_MS
  return days >= 1 ? `${Number(days.toFixed(1))} days` : `${Number((ms / 3_600_000).toFixed(1))} hours`
}
