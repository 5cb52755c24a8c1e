import type { StoredFile } from './ports.ts'
import { localFileStore } from './stores/local-file-store.ts'
import { isSameFile, type MirrorArchiveOptions, mirrorArchive } from './webhdfs/mirror-archive.ts'

/** A local folder in which DuckDB reads an archive: the archive itself, or a copy of it. */
export interface ArchiveCopy {
  readonly dir: string
  /** Brings the folder up to what the archive has. */
  update(): Promise<void>
  /** Whether the folder has this very file of the archive. */
  holds(file: StoredFile): Promise<boolean>
}

/** An archive on the local disk needs no copy. */
export function archiveInPlace(dir: string): ArchiveCopy {
  return { dir, update: async () => {}, holds: async () => true }
}

/** A copy, as `mirrorArchive` makes it. */
export function mirroredArchive(options: MirrorArchiveOptions): ArchiveCopy {
  const local = localFileStore(options.dir)
  return {
    dir: options.dir,
    async update() {
      await mirrorArchive(options)
    },
    holds: async file => isSameFile(file, await local.stat(file.path)),
  }
}
