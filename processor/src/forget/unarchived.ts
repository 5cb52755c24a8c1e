import type { Logger } from 'pino'
import { CommittedPositions } from '../committed-positions.ts'
import { inspectSegments } from '../logs/inspect-segments.ts'
import type { FileStore } from '../ports.ts'
import type { ArchiveOwner } from '../sinks/archive-path.ts'
import { archivedUpTo } from '../sinks/archive-resume.ts'

export interface UnarchivedOptions {
  /** The archive. */
  files: FileStore
  /** `state/segments` and `state/positions`. */
  segmentsDir: string
  positionsDir: string
  log: Logger
}

/** What a server that is not running has left to do. */
export interface Unarchived {
  /** Records of the logs that no archive file has yet, at most. 0 after a server that was stopped and not killed. */
  records: number
  /** Behind the input that was judged; `undefined` before the first. */
  judgedTo: number | undefined
}

const OWNERS: readonly ArchiveOwner[] = [
  { table: 'event_log', log: 'event-log', partition: 0, generation: 0 },
  { table: 'scenario_log', log: 'scenario-log', partition: 0, generation: 0 },
]

/** Looks at the logs, the committed positions and the newest files of the archive; changes nothing. */
export async function unarchived({ files, segmentsDir, positionsDir, log }: UnarchivedOptions): Promise<Unarchived> {
  const segments = await inspectSegments(segmentsDir)
  let records = 0
  for (const owner of OWNERS) {
    const committed = new CommittedPositions({ dir: positionsDir, group: `archive-${owner.log}`, log })
    await committed.load()
    const archived = await archivedUpTo(files, owner, Date.now())
    const done = Math.max(committed.get(0) ?? 0, archived?.position ?? 0, segments.oldest(owner.log))
    records += Math.max(0, segments.end(owner.log) - done)
  }
  return { records, judgedTo: segments.to }
}
