import { compareOrderKeys } from '../order-key.ts'
import { readFooter } from '../parquet/read-footer.ts'
import type { FileStore, OrderKey, Position } from '../ports.ts'
import { type ArchiveFileFacts, factsOf, orderOf } from './archive-file-facts.ts'
import { type ArchiveOwner, dayFolders, markPath, startOf, temporaryFolder } from './archive-path.ts'

/** A mark older than this is of no use: listing the whole table asks for less than so many folders. */
const MAX_DAY_FOLDERS = 60
const TEMPORARY_MS = 24 * 3_600_000
const DAY = /\/day=(\d{4}-\d{2}-\d{2})\//

/** Low-water mark: all before `position` is in the archive, and the newest file stood in the folder of `day`. */
export interface ArchiveMark {
  position: Position
  order: OrderKey | undefined
  day: string
}

/** The stored mark; `undefined` when there is none or it cannot be read: the files know better anyhow. */
export async function readMark(files: FileStore, owner: ArchiveOwner): Promise<ArchiveMark | undefined> {
  const path = markPath(owner)
  const found = await files.stat(path)
  if (found === undefined) return undefined
  try {
    const mark = JSON.parse(Buffer.from(await files.read(path, 0, found.bytes)).toString('utf8'))
    const { format, position, day } = mark as Record<string, unknown>
    if (format !== 1 || !Number.isSafeInteger(position) || typeof day !== 'string') return undefined
    if (!/^\d{4}-\d{2}-\d{2}$/.test(day) || Number.isNaN(Date.parse(day))) return undefined
    return { position: position as Position, order: orderOf(JSON.stringify(mark.order ?? null)), day }
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined
    throw cause
  }
}

/** Stores the mark after a file was published at `path`. */
export function writeMark(files: FileStore, owner: ArchiveOwner, path: string, facts: ArchiveFileFacts): Promise<void> {
  const { generation, position, index, scenarioId } = facts.order
  const day = DAY.exec(path)?.[1] ?? ''
  const mark = { format: 1, position: facts.end, order: [generation, position, index, scenarioId], day }
  return files.write(markPath(owner), Buffer.from(`${JSON.stringify(mark)}\n`))
}

/** How far the archive itself has got: behind its newest file. `undefined` when it has none. */
export async function archivedUpTo(
  files: FileStore,
  owner: ArchiveOwner,
  now: number,
): Promise<{ position: Position; order: OrderKey | undefined } | undefined> {
  const mark = await readMark(files, owner)
  // Files are published one after the other, so the one that starts last ends last: no start lies inside another file.
  const last = await lastFile(files, owner, mark?.day, now)
  if (last === undefined) return mark
  const footer = await readFooter(files, last)
  // Gone between the listing and now: somebody tidies up, and the mark is as good.
  if (footer === undefined) return mark
  const facts = factsOf(last, footer)
  if (mark === undefined) return { position: facts.end, order: facts.order }
  const newer = mark.order !== undefined && compareOrderKeys(mark.order, facts.order) > 0
  return { position: Math.max(mark.position, facts.end), order: newer ? mark.order : facts.order }
}

/** Whether the archive has any file of a log's partition. Lists the whole table: for the rare case that a position is missing. */
export async function partitionHasFiles(files: FileStore, owner: ArchiveOwner): Promise<boolean> {
  return (await lastFile(files, owner, undefined, 0)) !== undefined
}

async function lastFile(
  files: FileStore,
  owner: ArchiveOwner,
  sinceDay: string | undefined,
  now: number,
): Promise<string | undefined> {
  const days = sinceDay === undefined ? [] : dayFolders(owner.table, sinceDay, now)
  const folders = days.length > 0 && days.length <= MAX_DAY_FOLDERS ? days : [owner.table]
  let last: string | undefined
  let lastStart = -1
  for (const folder of folders) {
    for (const { path } of await files.list(folder)) {
      const start = startOf(owner, path)
      if (start !== undefined && start > lastStart) {
        last = path
        lastStart = start
      }
    }
  }
  return last
}

/** Removes this owner's uploads that never got their name. */
export async function removeStaleTemporaries(files: FileStore, owner: ArchiveOwner, now: number): Promise<void> {
  for (const { path, modifiedAt } of await files.list(temporaryFolder(owner.table))) {
    // `<final name>.<attempt uuid>`
    const name = path.slice(0, path.lastIndexOf('.'))
    if (startOf(owner, name) !== undefined && now - modifiedAt > TEMPORARY_MS) await files.remove(path)
  }
}
