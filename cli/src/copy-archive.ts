import { type ArchiveCopy, archiveInPlace, mirroredArchive } from '@headwater/processor'
import { type Config, isDistributed } from './config.ts'
import type { DataFolder } from './data-folder.ts'
import { processLog } from './process-log.ts'
import { progressLine } from './progress-line.ts'

/** Whether the archive stands elsewhere than in the data folder. */
function isArchiveRemote(config: Config): boolean {
  return isDistributed(config) && config.hdfs.nameNodes.length > 0
}

/** Where the archive can be read by DuckDB: where it is, or the data folder's copy of what HDFS has. */
export async function archiveCopyOf(config: Config, folder: DataFolder): Promise<ArchiveCopy> {
  if (!isArchiveRemote(config)) return archiveInPlace(folder.archive)
  const { archiveFilesOf } = await import('./distributed-parts.ts')
  const progress = progressLine(process.stderr, 'files')
  const copy = mirroredArchive({
    files: archiveFilesOf(config, folder, processLog('warn')),
    dir: folder.archive,
    onProgress: ({ files, bytes, totalBytes }) => progress.show(files, bytes / Math.max(1, totalBytes)),
  })
  return { ...copy, update: () => copy.update().finally(() => progress.end()) }
}

/** Brings the data folder's archive up to what HDFS has, for all that reads local files; only what is new is fetched. */
export async function copyArchive(config: Config, folder: DataFolder): Promise<void> {
  await (await archiveCopyOf(config, folder)).update()
}
