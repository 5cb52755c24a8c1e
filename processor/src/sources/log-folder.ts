import { createHash } from 'node:crypto'
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ProcessorError } from '../errors.ts'

/** The beginning of a file: the hash of its first `bytes` bytes (at most 256). Grows with the file until it has 256. */
export interface Fingerprint {
  bytes: number
  hash: string
}

export const FINGERPRINT_BYTES = 256

/** One file as a scan of the folder met it. */
export interface FoundFile {
  path: string
  device: number
  inode: number
  size: number
  /** Unix ms. */
  modifiedAt: number
  /** It bears the log's own name: lines go there now. */
  live: boolean
  /** The first bytes, up to 256. */
  head: Buffer
}

export interface FolderScan {
  /** In the order in which they were written last; the live one stands at the end. */
  files: FoundFile[]
  /** Rotated files that were compressed and cannot be read. */
  compressed: string[]
}

const COMPRESSED = /\.(?:gz|bz2|xz|zst|lz4|zip|Z)$/

/**
 * Finds the live log and its rotated siblings: regular files named `<name>.…` or `<name>-…` beside it, which is how
 * logrotate (with and without `dateext`), NGINX's documentation and the gateway name them.
 * Source: https://nginx.org/en/docs/control.html#logs
 */
export async function scanLogFolder(path: string): Promise<FolderScan> {
  const folder = dirname(path)
  const name = basename(path)
  let names: string[]
  try {
    names = await readdir(folder)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { files: [], compressed: [] }
    throw unreadable(folder, cause)
  }
  const siblings = names.filter(other => other.startsWith(`${name}.`) || other.startsWith(`${name}-`))
  const files: FoundFile[] = []
  // The live file last: one that is renamed during the scan is then met twice rather than not at all.
  for (const sibling of siblings) {
    if (COMPRESSED.test(sibling)) continue
    const file = await meet(join(folder, sibling), false)
    if (file !== undefined) files.push(file)
  }
  files.sort((a, b) => a.modifiedAt - b.modifiedAt || byAge(a.path, b.path))
  const live = await meet(path, true)
  if (live !== undefined) {
    const twice = files.findIndex(file => file.inode === live.inode && file.device === live.device)
    if (twice !== -1) files.splice(twice, 1)
    files.push(live)
  }
  return { files, compressed: siblings.filter(sibling => COMPRESSED.test(sibling)) }
}

/** Files written in the same millisecond: `.2` is older than `.1`, but dates and larger numbers of digits ascend. */
function byAge(a: string, b: string): number {
  const x = /[.-](\d{1,3})$/.exec(a)
  const y = /[.-](\d{1,3})$/.exec(b)
  return x !== null && y !== null ? Number(y[1]) - Number(x[1]) : a < b ? -1 : 1
}

async function meet(path: string, live: boolean): Promise<FoundFile | undefined> {
  let handle: FileHandle
  try {
    // A pipe or device of that name must not be opened: it could block.
    if (!(await stat(path)).isFile()) return undefined
    handle = await open(path, 'r')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw unreadable(path, cause)
  }
  try {
    const found = await handle.stat()
    const head = Buffer.alloc(FINGERPRINT_BYTES)
    const { bytesRead } = await handle.read(head, 0, FINGERPRINT_BYTES, 0)
    return {
      path,
      device: found.dev,
      inode: found.ino,
      size: found.size,
      modifiedAt: found.mtimeMs,
      live,
      head: head.subarray(0, bytesRead),
    }
  } finally {
    await handle.close()
  }
}

export function fingerprintOf(head: Buffer, bytes: number = FINGERPRINT_BYTES): Fingerprint {
  const part = head.subarray(0, Math.min(bytes, FINGERPRINT_BYTES))
  return { bytes: part.length, hash: createHash('sha256').update(part).digest('hex').slice(0, 32) }
}

/** Whether a file that begins with `head` can be the one the fingerprint was taken of. */
export function beginsAs(head: Buffer, fingerprint: Fingerprint): boolean {
  return head.length >= fingerprint.bytes && fingerprintOf(head, fingerprint.bytes).hash === fingerprint.hash
}

export function unreadable(path: string, cause: unknown): ProcessorError {
  const found = cause instanceof Error ? cause.message : String(cause)
  return new ProcessorError('STORE_UNAVAILABLE', `${path} cannot be read. Found: ${found}.`, { retryable: true, cause })
}
