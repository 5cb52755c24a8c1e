import { randomUUID } from 'node:crypto'
import type { BigIntStats, Dirent } from 'node:fs'
import { copyFile, link, mkdir, open, readdir, rename, rmdir, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { whileNobodyReads } from '../archive-lock.ts'
import { ProcessorError } from '../errors.ts'
import type { FileStore, Replacement, StoredFile } from '../ports.ts'
import { syncFolder } from '../state-file.ts'

/**
 * `FileStore` in a folder of the local disk (made when missing).
 *
 * `publish` is `link` + `unlink`: `link` fails when the name is taken, where `rename` would replace what is there. File and
 * folder are synced, so what is published survives a power cut. `put` links the local file when it can instead of copying
 * it: the caller does not change the file afterwards (removing it is fine). `replace` waits for readers that open files twice
 * (archive-lock.ts), and they for it. Faults of the disk are STORE_UNAVAILABLE, retryable.
 */
export function localFileStore(root: string): FileStore {
  const full = (path: string): string => {
    const parts = path.split('/')
    if (path === '' || path.includes('\0') || parts.some(part => part === '' || part === '.' || part === '..')) {
      throw new TypeError(`A stored file's path is relative, with /, without empty parts, "." and "..". Found: ${path}`)
    }
    return join(root, ...parts)
  }

  return {
    put(localFile, temporary): Promise<void> {
      const target = full(temporary)
      return atStore(`${temporary} cannot be written`, async () => {
        await syncFile(localFile)
        await ensureFolder(dirname(target))
        try {
          await link(localFile, target)
        } catch (cause) {
          // Another disk, a file system without links, or a name that is taken: a copy, and whole before it has the name.
          const part = `${target}.${randomUUID()}`
          try {
            await copyFile(localFile, part)
            await syncFile(part)
            await rename(part, target)
          } catch (copying) {
            await unlink(part).catch(() => {})
            throw codeOf(cause) === 'ENOENT' ? cause : copying
          }
        }
      })
    },

    publish(temporary, final): Promise<'published' | 'exists'> {
      const from = full(temporary)
      const to = full(final)
      return atStore(`${final} cannot be published`, async () => {
        await ensureFolder(dirname(to))
        let outcome: 'published' | 'exists' = 'published'
        try {
          await link(from, to)
        } catch (cause) {
          const code = codeOf(cause)
          // Asked again after an unknown answer: the first time may have come as far as `link`, or to the end.
          if (code === 'EEXIST') outcome = (await isSameFile(from, to)) ? 'published' : 'exists'
          else if (code === 'ENOENT' && (await statOf(to)) !== undefined) outcome = 'exists'
          else throw cause
        }
        if (outcome === 'published') {
          await unlink(from).catch(ignoreMissing)
          await syncFolder(dirname(to))
        }
        return outcome
      })
    },

    replace(replacements) {
      return atStore('files cannot be replaced', async () => {
        if (replacements.length === 0) return []
        const outcomes = await whileNobodyReads(root, async () => {
          const done: ('replaced' | 'changed' | 'gone')[] = []
          for (const one of replacements) done.push(await replaceOne(one))
          return done
        })
        for (const folder of new Set(replacements.map(({ final }) => dirname(full(final))))) {
          await syncFolder(folder).catch(ignoreMissing)
        }
        return outcomes
      })
    },

    list(folder): Promise<StoredFile[]> {
      return atStore(`${folder} cannot be listed`, async () => {
        const files: StoredFile[] = []
        await walk(folder === '' ? root : full(folder), folder, files)
        // By code units, as the port says "in order of path": a locale would order them otherwise.
        return files.sort((a, b) => (a.path < b.path ? -1 : 1))
      })
    },

    stat(path): Promise<StoredFile | undefined> {
      const target = full(path)
      return atStore(`${path} cannot be looked at`, async () => {
        const found = await statOf(target)
        return found?.isFile() ? storedFile(path, found) : undefined
      })
    },

    read(path, from, to): Promise<Uint8Array> {
      const target = full(path)
      return atStore(`${path} cannot be read`, async () => {
        const file = await open(target, 'r')
        try {
          const bytes = Buffer.alloc(Math.max(0, to - from))
          let length = 0
          while (length < bytes.length) {
            const { bytesRead } = await file.read(bytes, length, bytes.length - length, from + length)
            if (bytesRead === 0) break
            length += bytesRead
          }
          return bytes.subarray(0, length)
        } finally {
          await file.close()
        }
      })
    },

    write(path, content): Promise<void> {
      const target = full(path)
      return atStore(`${path} cannot be written`, async () => {
        await ensureFolder(dirname(target))
        const part = join(dirname(target), `_${randomUUID()}`)
        try {
          const file = await open(part, 'wx')
          try {
            await file.writeFile(content)
            await file.sync()
          } finally {
            await file.close()
          }
          await rename(part, target)
        } catch (cause) {
          await unlink(part).catch(() => {})
          throw cause
        }
        await syncFolder(dirname(target))
      })
    },

    remove(path): Promise<void> {
      const target = full(path)
      return atStore(`${path} cannot be removed`, () => unlink(target).catch(ignoreMissing))
    },

    folders(folder): Promise<string[]> {
      const target = full(folder)
      return atStore(`${folder} cannot be listed`, async () => {
        const entries = await entriesOf(target)
        return entries.flatMap(entry => (entry.isDirectory() ? [entry.name] : [])).sort()
      })
    },

    removeFolder(folder): Promise<void> {
      const target = full(folder)
      return atStore(`${folder} cannot be removed`, async () => {
        await rmdir(target).catch(cause => {
          if (codeOf(cause) !== 'ENOTEMPTY') ignoreMissing(cause)
        })
      })
    },
  }

  async function replaceOne({ temporary, final, version }: Replacement): Promise<'replaced' | 'changed' | 'gone'> {
    const there = await statOf(full(final))
    if (there === undefined) return 'gone'
    if (versionOf(there) !== version || (await statOf(full(temporary))) === undefined) return 'changed'
    await rename(full(temporary), full(final))
    return 'replaced'
  }
}

async function atStore<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (codeOf(cause) === undefined) throw cause
    const found = (cause as Error).message
    throw new ProcessorError('STORE_UNAVAILABLE', `${what}. Found: ${found}.`, { retryable: true, cause })
  }
}

function codeOf(cause: unknown): string | undefined {
  return (cause as NodeJS.ErrnoException | undefined)?.code
}

function ignoreMissing(cause: unknown): void {
  if (codeOf(cause) !== 'ENOENT') throw cause
}

function storedFile(path: string, found: BigIntStats): StoredFile {
  return { path, bytes: Number(found.size), modifiedAt: Number(found.mtimeNs) / 1e6, version: versionOf(found) }
}

/** An inode number may come again, but not with the same time. */
function versionOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return `${dev}-${ino}-${size}-${mtimeNs}`
}

async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true })
  } catch (cause) {
    const code = codeOf(cause)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw cause
  }
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([statOf(a), statOf(b)])
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes a folder with all above it, and syncs the folders that got a new name in them. */
async function ensureFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined) return
  for (let made = folder; ; made = dirname(made)) {
    await syncFolder(dirname(made))
    if (made === first || dirname(made) === made) return
  }
}

async function walk(directory: string, path: string, files: StoredFile[]): Promise<void> {
  for (const entry of await entriesOf(directory)) {
    const name = path === '' ? entry.name : `${path}/${entry.name}`
    const below = join(directory, entry.name)
    if (entry.isDirectory()) await walk(below, name, files)
    else if (entry.isFile()) {
      // A file may go while we look: temporary ones do.
      const found = await statOf(below)
      if (found !== undefined) files.push(storedFile(name, found))
    }
  }
}

async function entriesOf(directory: string): Promise<Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true })
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return []
    throw cause
  }
}
