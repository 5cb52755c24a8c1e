import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Who holds a folder. A pid alone does not tell: pids come again after a restart, in a container always the same ones. */
interface Holder {
  format: 1
  pid: number
  /** Start of the process in clock ticks since boot, and which boot (Linux; elsewhere empty). */
  started: string
}

/** Another process works in the folder. */
export class FolderInUseError extends Error {
  readonly code = 'DATA_DIR_IN_USE'

  constructor(folder: string, pid: number) {
    super(
      `DATA_DIR_IN_USE: one process a data folder. Found: process ${pid} works in ${folder}. ` +
        'Stop it first, or choose another folder with --data-dir or HEADWATER_DATA_DIR.',
    )
    this.name = 'FolderInUseError'
  }
}

/**
 * Makes this process the only one that works in `folder` (which exists), until the returned function is called or the
 * process ends in any way: a lock whose holder is gone is taken over. Throws `FolderInUseError`.
 */
export function lockFolder(folder: string): () => void {
  const lock = join(folder, 'lock')
  const mine: Holder = { format: 1, pid: process.pid, started: startOf(process.pid) ?? '' }
  const temporary = `${lock}.${process.pid}`
  writeFileSync(temporary, JSON.stringify(mine))
  try {
    for (;;) {
      try {
        linkSync(temporary, lock) // never replaces, unlike rename
        return () => {
          if (sameHolder(readHolder(lock), mine)) unlinkSync(lock)
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const holder = readHolder(lock)
      if (holder !== undefined && isAlive(holder)) throw new FolderInUseError(folder, holder.pid)
      removeStale(lock, holder)
    }
  } finally {
    unlinkSync(temporary)
  }
}

/** The living process that works in `folder`, or `undefined`. */
export function folderHolder(folder: string): number | undefined {
  const holder = readHolder(join(folder, 'lock'))
  return holder !== undefined && isAlive(holder) ? holder.pid : undefined
}

/** Two processes may find the same dead lock: what is moved away is looked at again, and put back when it is alive. */
function removeStale(lock: string, stale: Holder | undefined): void {
  const aside = `${lock}.stale.${process.pid}`
  try {
    renameSync(lock, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if (!sameHolder(readHolder(aside), stale)) linkSync(aside, lock)
  unlinkSync(aside)
}

function readHolder(lock: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(lock, 'utf8')) as Holder
  } catch {
    return undefined
  }
}

function sameHolder(a: Holder | undefined, b: Holder | undefined): boolean {
  return a?.pid === b?.pid && a?.started === b?.started
}

function isAlive({ pid, started }: Holder): boolean {
  if (pid === process.pid) return started === (startOf(pid) ?? '')
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const now = startOf(pid)
  return now === undefined || started === '' || started === now
}

/** proc(5): field 22 of /proc/<pid>/stat, counted behind the command's closing bracket, and the kernel's boot id. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    return `${ticks}@${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}`
  } catch {
    return undefined
  }
}
