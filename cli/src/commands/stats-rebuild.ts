import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CommittedPositions,
  localFileStore,
  ProcessorError,
  type RebuiltStats,
  rebuildStats,
  SegmentLog,
  type StatsStore,
  stateFileStatsStore,
} from '@headwater/processor'
import { pino } from 'pino'
import { isDistributed } from '../config.ts'
import { dataFolder, makeFolders } from '../data-folder.ts'
import { lockFolder } from '../folder-lock.ts'
import type { LoadedConfig } from '../load-config.ts'
import { progressLine } from '../progress-line.ts'

/** `headwater stats rebuild`: counters anew from the archive, while nothing else works in the folder. */
export async function rebuild({ config }: LoadedConfig): Promise<void> {
  if (isDistributed(config)) return (await import('../rebuild-distributed.ts')).rebuildDistributed(config)
  const folder = dataFolder(config.dataDir)
  if (!existsSync(folder.state) && !existsSync(folder.archive)) {
    console.error(`There is nothing to count: ${folder.root} is not a data folder of Headwater.`)
    process.exitCode = 1
    return
  }
  makeFolders(folder)
  const unlock = lockFolder(folder.state)
  const log = pino(
    { level: config.log.level === 'silent' ? 'silent' : 'warn' },
    pino.destination({ fd: 2, sync: true }),
  )
  const progress = progressLine(process.stderr, 'rows')
  try {
    const file = join(folder.state, 'stats.json')
    const store = stateFileStatsStore({ file })
    await moveDamagedAside(store, file)
    const segments = await SegmentLog.open({
      dir: folder.segments,
      durability: config.log.durability,
      source: 'access-log',
      log,
    })
    try {
      const committed = new CommittedPositions({ dir: join(folder.state, 'positions'), group: 'stats', log })
      await committed.load()
      const rebuilt = await rebuildStats({
        archiveDir: folder.archive,
        files: localFileStore(folder.archive),
        outcomes: { oldest: segments.oldest('scenario-log'), end: segments.end('scenario-log') },
        judged: segments.to ?? 0,
        store,
        commit: position => {
          committed.note(0, position)
          return committed.flush()
        },
        onProgress: ({ rows, doneBytes, totalBytes }) => progress.show(rows, doneBytes / totalBytes),
      })
      progress.end()
      for (const sentence of sentences(rebuilt)) console.log(sentence)
    } finally {
      await segments.close()
    }
  } finally {
    progress.end()
    unlock()
  }
}

/** Counters that cannot be read are kept for whoever wants to know why; a file of another version stays and is refused. */
async function moveDamagedAside(store: StatsStore, file: string): Promise<void> {
  try {
    await store.load(0)
  } catch (error) {
    if (!(error instanceof ProcessorError) || error.code !== 'STATE_DAMAGED') throw error
    await rename(file, `${file}.damaged`)
    console.log(`The damaged counters are kept as ${file}.damaged.`)
  }
}

function sentences({ rows, files, counters, toBeCounted, lost, logIsBehind, at }: RebuiltStats): string[] {
  const series = counters.read()
  const said = [
    `Counted ${rows} outcomes of ${new Set(series.map(row => row.scenario_id)).size} scenarios in ${files} archive files, ` +
      `up to position ${at.position} of the scenario log.`,
  ]
  if (toBeCounted > 0)
    said.push(`The next start counts what is not archived yet: at most ${toBeCounted} outcomes behind it.`)
  if (lost > 0)
    said.push(
      `! At most ${lost} outcomes behind it were deleted before they were archived (the log begins later). They are in no ` +
        'counter and not in the archive: somebody has deleted files of state/segments or of the archive by hand.',
    )
  if (logIsBehind && rows > 0)
    said.push(
      '! The archive has events that the logs in state/ do not know. After a power cut that is in order: they are read ' +
        'again and recognised. But when state/ was deleted, new events would be taken for archived ones until the log is as ' +
        'long as it was: then move the archive folder away before the next start, and rebuild once more.',
    )
  return said
}
