import { closeSync, existsSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { bytesText, type Check, type Finding, fail, ok, warn } from './check.ts'

/** Below the first nothing works for long; below the second somebody should look. */
const FAIL_BELOW_BYTES = 100 * 2 ** 20
const WARN_BELOW_BYTES = 2 ** 30
const WARN_BELOW_INODES = 10_000

/** The nearest folder that exists: where what is missing would be made. */
function existing(path: string): string {
  let found = path
  while (!existsSync(found) && dirname(found) !== found) found = dirname(found)
  return found
}

/** Access bits do not tell of read-only mounts, quotas and full disks: only writing does. */
function writeFault(folder: string): NodeJS.ErrnoException | undefined {
  const probe = join(folder, `.doctor-${process.pid}`)
  try {
    const file = openSync(probe, 'wx')
    try {
      writeSync(file, 'x')
    } finally {
      closeSync(file)
      rmSync(probe)
    }
    return undefined
  } catch (error) {
    return error as NodeJS.ErrnoException
  }
}

const GIVE = 'Give the folder to the user that runs Headwater (chown -R), or choose another one with --data-dir.'
/** Where another owner would not help, by the code of the error. */
const WRITE_REMEDY: Readonly<Record<string, string>> = {
  ENOSPC: 'Free space or inodes (df -h, df -i), or move the data folder to a larger disk.',
  EDQUOT: 'Raise the quota of the user that runs Headwater, or move the data folder to another disk.',
  EROFS:
    'Mount the disk for writing (mount -o remount,rw; dmesg says why it is not), or choose another folder with --data-dir.',
  ENOTDIR: 'Move the file away that stands where a folder must be, or choose another folder with --data-dir.',
}

export const writeCheck: Check = {
  name: 'data folder',
  async run({ folder }): Promise<Finding[]> {
    const folders = [
      folder.root,
      dirname(folder.accessLog),
      folder.state,
      folder.segments,
      folder.archive,
      folder.deadLetters,
    ]
    const faults: Finding[] = []
    for (const path of new Set(folders.map(existing))) {
      const fault = writeFault(path)
      if (fault !== undefined)
        faults.push(
          fail(
            `This user must be able to make files in ${path}. Found: ${fault.message}.`,
            WRITE_REMEDY[fault.code ?? ''] ?? GIVE,
          ),
        )
    }
    if (faults.length > 0) return faults
    return [
      ok(
        existsSync(folder.state)
          ? `${folder.root} and its folders can be written.`
          : `${folder.root} does not exist yet; it can be made.`,
      ),
    ]
  },
}

export const spaceCheck: Check = {
  name: 'disk space',
  async run({ folder }): Promise<Finding[]> {
    const disk = statfsSync(existing(folder.root))
    const free = disk.bavail * disk.bsize
    const remedy =
      'Free space, or move the data folder to a larger disk. A full disk loses nothing that was acknowledged, but beacons get 503 until there is room.'
    const text = `${bytesText(free)} of ${bytesText(disk.blocks * disk.bsize)} are free`
    if (free < FAIL_BELOW_BYTES) return [fail(`${text}.`, remedy)]
    if (free < WARN_BELOW_BYTES) return [warn(`${text}.`, remedy)]
    // 0 of 0: a file system without a fixed number of them.
    if (disk.files > 0 && disk.ffree < WARN_BELOW_INODES)
      return [
        warn(`${text}, but only ${disk.ffree} inodes.`, 'Delete small files: each file of the archive needs one.'),
      ]
    return [ok(`${text}.`)]
  },
}

export const lockCheck: Check = {
  name: 'process',
  async run({ folder, pid }): Promise<Finding[]> {
    if (pid !== undefined) return [ok(`Process ${pid} works in the folder.`)]
    if (existsSync(join(folder.state, 'lock')))
      return [ok('No process works in the folder; the lock of one that was killed is taken over by the next start.')]
    return [ok('No process works in the folder.')]
  },
}
