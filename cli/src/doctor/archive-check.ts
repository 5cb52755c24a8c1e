import { join } from 'node:path'
import type { ArchiveTable } from '@headwater/core'
import {
  compareCounters,
  isRetryable,
  localFileStore,
  type PartitionId,
  type Position,
  type StatsStore,
  type StoredCounters,
  stateFileStatsStore,
  verifyArchive,
} from '@headwater/processor'
import { archiveCopyOf } from '../copy-archive.ts'
import { progressLine } from '../progress-line.ts'
import { bytesText, type Check, type Finding, fail, ok, type Patient, warn } from './check.ts'
import { committedPosition } from './committed-position.ts'

/** A fault a file, but no screens full of them. */
const MAX_SHOWN = 20

export const archiveCheck: Check = {
  name: 'archive',
  run: patient =>
    checkArchive(patient, {
      store: stateFileStatsStore({ file: join(patient.folder.state, 'stats.json') }),
      partitions: [0],
      root: patient.folder.archive,
      committed: async () => ({
        event_log: await committedPosition(patient.folder, 'archive-event-log').catch(() => undefined),
        scenario_log: await committedPosition(patient.folder, 'archive-scenario-log').catch(() => undefined),
      }),
    }),
}

export interface ArchiveUnderCheck {
  /** The counters, and the partitions they are of. */
  store: Pick<StatsStore, 'load'>
  partitions: readonly PartitionId[]
  /** Where the archive stands, for messages. */
  root: string
  /** Up to where each table was archived, as its writer noted elsewhere; for an archive of one partition. */
  committed?(): Promise<Readonly<Record<ArchiveTable, Position | undefined>>>
}

/** Reads the whole archive and compares the counters with its rows, if the patient wants that. */
export async function checkArchive(
  { config, folder, readArchive }: Patient,
  { store, partitions, root, committed }: ArchiveUnderCheck,
): Promise<Finding[]> {
  if (!readArchive) return [ok('Not read; --archive reads every file and compares the counters with its rows.')]
  // Before the archive is listed: what is counted from now on is no concern of ours.
  const stored = await storedCounters(store, partitions)
  const archivedTo = await committed?.()
  const copy = await archiveCopyOf(config, folder)
  await copy.update()
  const progress = progressLine(process.stderr, 'rows')
  const tables = await verifyArchive({
    archiveDir: copy.dir,
    files: localFileStore(copy.dir),
    onProgress: ({ rows, doneBytes, totalBytes }) => progress.show(rows, doneBytes / totalBytes),
  }).finally(() => progress.end())

  const found: Finding[] = []
  for (const { table, files, rows, bytes, ends, faults, gaps, strangers } of tables) {
    for (const { path, message } of faults.slice(0, MAX_SHOWN))
      found.push(
        fail(
          `${join(root, path)}: ${message}`,
          'Bring the file back from a backup; else stop, move it out of the archive, and run headwater stats rebuild.',
        ),
      )
    if (faults.length > MAX_SHOWN)
      found.push(fail(`${table}: ${faults.length - MAX_SHOWN} more faults of this kind.`, 'Mend those above first.'))
    for (const { before, from, to } of gaps.slice(0, MAX_SHOWN))
      found.push(
        warn(
          `${join(root, before)}: the records ${from} to ${to - 1} before it are in no file.`,
          'In order when archive.keepDays deleted them after a clock went back, or Kafka before they were archived. Else bring the missing file back from a backup, or accept the archive as it is.',
        ),
      )
    const end = ends.get(0) ?? 0
    const noted = archivedTo?.[table] ?? 0
    const missing = noted > end && faults.length === 0
    if (missing)
      found.push(
        warn(
          `${table}: the records ${end} to ${noted - 1} were archived, and are in no file.`,
          'In order when archive.keepDays deleted them. Else bring the missing files back from a backup, or accept the archive as it is.',
        ),
      )
    if (strangers.length > 0)
      found.push(
        warn(
          `${table}: ${strangers.length} files are none of this log, such as ${strangers[0]}.`,
          'Queries read them. When nobody put them there on purpose, move them away.',
        ),
      )
    if (faults.length === 0 && !(missing && files === 0))
      found.push(ok(`${table}: ${rows} rows in ${files} files (${bytesText(bytes)}), all read.`))
  }

  const outcomes = tables.find(({ table }) => table === 'scenario_log')
  if (outcomes === undefined || outcomes.faults.length > 0) return found
  const uncounted = [...outcomes.ends.keys()].filter(id => !stored.some(({ partition }) => partition === id))
  if (outcomes.rows > 0 && uncounted.length > 0) {
    const of = stored.length === 0 ? '' : ` of partition ${uncounted.join(', ')}`
    return [
      ...found,
      fail(`There are archived outcomes, and no counters${of}.`, 'Stop, and run headwater stats rebuild.'),
    ]
  }
  if (stored.length === 0) return found
  // What was archived is not on its way, also when its files are gone.
  const ends = new Map(outcomes.ends)
  if (archivedTo?.scenario_log !== undefined) ends.set(0, Math.max(ends.get(0) ?? 0, archivedTo.scenario_log))
  const { rows, counted, maxUnarchived, impossible } = await compareCounters(copy.dir, { ...outcomes, ends }, stored)
  for (const what of impossible.slice(0, MAX_SHOWN))
    found.push(fail(`${what}.`, 'Stop, and run headwater stats rebuild: it counts the archive again.'))
  if (impossible.length > 0) return found
  const text = `${counted} outcomes counted, ${rows} of them archived`
  if (counted - rows > maxUnarchived && config.archive.keepDays !== undefined)
    found.push(ok(`${text}; older rows are deleted after archive.keepDays = ${config.archive.keepDays} days.`))
  else if (counted - rows > maxUnarchived)
    found.push(
      warn(
        `${text}; at most ${maxUnarchived} can be on their way.`,
        'In order after rows were deleted on purpose (archive.keepDays, headwater forget). Else bring the files back from a backup, or accept the archive as it is: headwater stats rebuild.',
      ),
    )
  else found.push(ok(`${text}${counted === rows ? '' : `, ${counted - rows} on their way`}.`))
  return found
}

/** Of each partition that has any that can be read; why one has none, the store's own check tells. Rejects when it is away. */
async function storedCounters(
  store: ArchiveUnderCheck['store'],
  partitions: readonly PartitionId[],
): Promise<StoredCounters[]> {
  const found: StoredCounters[] = []
  for (const partition of partitions) {
    const stored = await store.load(partition).catch(error => {
      if (isRetryable(error)) throw error
      return undefined
    })
    if (stored === undefined) continue
    const { position, order } = stored.at
    found.push({ partition, position, generation: order?.generation ?? 0, counters: stored.counters })
  }
  return found
}
