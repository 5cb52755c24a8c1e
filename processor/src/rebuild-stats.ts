import { Counters, MAX_CLOCK_LEAD_MS } from '@headwater/core'
import { openArchive } from './archive-query.ts'
import { ArchiveQueryError, type ArchiveReader } from './archive-reader.ts'
import { ProcessorError } from './errors.ts'
import type { FileStore, PartitionId, Position, SinkPosition, StatsStore } from './ports.ts'
import { type ArchiveOwner, startOf } from './sinks/archive-path.ts'
import { archivedUpTo } from './sinks/archive-resume.ts'

export interface RebuildStatsOptions {
  /** The archive's folder, for SQL. */
  archiveDir: string
  /** The same folder as a file store. */
  files: FileStore
  /** Default 0. */
  partition?: PartitionId
  /** What there is of the partition in `scenario-log`; nobody counts it meanwhile. */
  outcomes: { oldest: Position; end: Position }
  /** How far the input was judged; `undefined` where that is not known. */
  judged?: Position | undefined
  store: StatsStore
  /** What the stats reader has committed goes back together with its counters, and before them: retention keeps what they need. */
  commit: (position: Position) => Promise<void>
  /** Called after each handful of files. */
  onProgress?: (progress: RebuildProgress) => void
}

export interface RebuildProgress {
  /** Rows counted. */
  rows: number
  /** Bytes of Parquet that are done, and of all there is. */
  doneBytes: number
  totalBytes: number
}

/** What a rebuild came to. */
export interface RebuiltStats {
  counters: Counters
  rows: number
  files: number
  /** Where the next start goes on counting: behind the last archived record. */
  at: SinkPosition
  /** Records of the log that the archive has not yet: the next start counts them. An upper bound, as offsets may have gaps. */
  toBeCounted: number
  /** Records that are neither in the archive nor in the log any more: in no counter. An upper bound, too. */
  lost: number
  /** Whether the log ends before what the archive has, by the position of the input. */
  logIsBehind: boolean
}

/** One query takes this many files or bytes: enough to be quick, few enough that progress shows. */
const FILES_A_QUERY = 64
const BYTES_A_QUERY = 16 * 1024 * 1024
/** Of one such query. */
const DEADLINE_MS = 600_000
/** The live chart's bucket, the finest there is: rows of one are counted together. */
const BUCKET_MS = 5_000

/**
 * Counters anew, from the archive's outcomes, and stored in place of what the store holds: the totals are its rows, the
 * position and order key its end, so that the next start counts exactly what the archive has not. Retention keeps in the
 * log what any sink has not passed, so that is all there. Time buckets go by `date` as ever; a `date` that leads its
 * arrival by more than `MAX_CLOCK_LEAD_MS` is counted at the end of the hour it arrived in, as only that is known.
 *
 * Reads first and stores last: killed in between, it has changed no counter. Rejects with ARCHIVE_DAMAGED when a file
 * cannot be read, and as the store does.
 */
export async function rebuildStats(options: RebuildStatsOptions): Promise<RebuiltStats> {
  const { files, store, partition = 0 } = options
  const owner: ArchiveOwner = { table: 'scenario_log', log: 'scenario-log', partition, generation: 0 }
  const before = await store.load(partition)
  const archived = await archivedUpTo(files, owner, Date.now())
  const { counters, rows, files: read } = await countArchive(owner, options)

  const { oldest, end } = options.outcomes
  const at: SinkPosition = archived ?? { position: oldest, order: undefined }
  await options.commit(at.position)
  await store.apply(partition, before?.at.position, at, counters)
  return {
    counters,
    rows,
    files: read,
    at,
    toBeCounted: Math.max(0, end - Math.max(at.position, oldest)),
    lost: Math.max(0, oldest - at.position),
    logIsBehind: (at.order?.position ?? -1) >= (options.judged ?? Number.POSITIVE_INFINITY),
  }
}

async function countArchive(
  owner: ArchiveOwner,
  options: RebuildStatsOptions,
): Promise<{ counters: Counters; rows: number; files: number }> {
  const found = (await options.files.list(owner.table)).filter(({ path }) => startOf(owner, path) !== undefined)
  const totalBytes = found.reduce((sum, { bytes }) => sum + bytes, 0)
  const counters = new Counters()
  let rows = 0
  let doneBytes = 0
  let archive: ArchiveReader | undefined
  try {
    archive = await openArchive({ archiveDir: options.archiveDir, deadlineMs: DEADLINE_MS })
    for (let next = 0; next < found.length; ) {
      const some: string[] = []
      let bytes = 0
      for (; next < found.length && some.length < FILES_A_QUERY && bytes < BYTES_A_QUERY; next++) {
        const file = found[next]!
        some.push(`${options.archiveDir}/${file.path}`)
        bytes += file.bytes
      }
      rows += await countFiles(archive, some, counters)
      doneBytes += bytes
      options.onProgress?.({ rows, doneBytes, totalBytes })
    }
  } catch (cause) {
    if (!(cause instanceof ArchiveQueryError)) throw cause
    throw new ProcessorError(
      'ARCHIVE_DAMAGED',
      'an archive file cannot be read; the counters are as they were. Move the file out of the archive and begin again, ' +
        `and its rows are not counted. Found: ${cause.message}.`,
      { cause },
    )
  } finally {
    archive?.close()
  }
  return { counters, rows, files: found.length }
}

async function countFiles(archive: ArchiveReader, paths: readonly string[], counters: Counters): Promise<number> {
  const answer = await archive.query(sqlOf(paths, Date.now()))
  let rows = 0
  for await (const chunk of answer.rows)
    for (const row of chunk) {
      const [scenarioId, judgingVersion, success, date, count] = row as [number, number, 0 | 1, number, number]
      const outcome = { scenarioId, judgingVersion, success, date }
      for (let n = 0; n < count; n++) counters.add(outcome)
      rows += count
    }
  return rows
}

/** Rows by scenario, judging version, success and bucket, each with its latest time. `day` and `hour` are the folders' names. */
function sqlOf(paths: readonly string[], now: number): string {
  const list = paths.map(path => `'${path.replace(/[*?[]/g, '[$&]').replaceAll("'", "''")}'`).join(', ')
  return `
    WITH outcome AS (
      SELECT scenario_id, judging_version, success, epoch_ms(date) AS happened,
             least(epoch_ms(day) + (hour + 1) * 3600000 - 1, ${now}) AS arrived
      FROM read_parquet([${list}], hive_partitioning = true, hive_types = {'day': DATE, 'hour': INTEGER})
    ), timed AS (
      SELECT *, CASE WHEN happened <= arrived + ${MAX_CLOCK_LEAD_MS} THEN happened ELSE arrived END AS counted_at
      FROM outcome
    )
    SELECT scenario_id, judging_version, success, max(counted_at), count(*)
    FROM timed GROUP BY scenario_id, judging_version, success, counted_at // ${BUCKET_MS}`
}
