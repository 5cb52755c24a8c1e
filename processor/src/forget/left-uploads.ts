import type { FileStore } from '../ports.ts'

/**
 * Removes what a crash left below the archive's `_tmp` and what is at least `olderThanMs` old; resolves with how many files. On the
 * local disk they may be links to published files, with all their rows. An upload under way takes seconds.
 */
export async function removeLeftUploads(files: FileStore, olderThanMs: number): Promise<number> {
  let removed = 0
  for (const { path, modifiedAt } of await files.list('_tmp')) {
    if (Date.now() - modifiedAt < olderThanMs) continue
    await files.remove(path)
    removed++
  }
  return removed
}
