import { mirrorArchive } from '@headwater/processor'
import { type Config, isDistributed } from './config.ts'
import type { DataFolder } from './data-folder.ts'
import { processLog } from './process-log.ts'
import { progressLine } from './progress-line.ts'

/** Whether the archive stands elsewhere than in the data folder. */
export function isArchiveRemote(config: Config): boolean {
  return isDistributed(config) && config.hdfs.nameNodes.length > 0
}

/**
 * Brings the data folder's archive up to what HDFS has, for all that reads local files; only what is new is fetched. Does
 * nothing where the archive is in the data folder anyhow.
 */
export async function copyArchive(config: Config, folder: DataFolder): Promise<void> {
  if (!isArchiveRemote(config)) return
  const { archiveFilesOf } = await import('./distributed-parts.ts')
  const progress = progressLine(process.stderr, 'files')
  try {
    await mirrorArchive({
      files: archiveFilesOf(config, folder, processLog('warn')),
      dir: folder.archive,
      onProgress: ({ files, bytes, totalBytes }) => progress.show(files, bytes / Math.max(1, totalBytes)),
    })
  } finally {
    progress.end()
  }
}
