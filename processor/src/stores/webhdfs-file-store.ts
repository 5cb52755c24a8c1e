import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Logger } from 'pino'
import { ProcessorError } from '../errors.ts'
import type { FileStore, Replacement, StoredFile } from '../ports.ts'
import { HttpFault } from '../webhdfs/http-exchange.ts'
import { whileNobodyElseReplaces } from '../webhdfs/replace-lock.ts'
import { storeFault } from '../webhdfs/store-fault.ts'
import { UploadDiffers, uploadVerified } from '../webhdfs/verified-upload.ts'
import { type HdfsStatus, WebHdfsClient, type WebHdfsOptions } from '../webhdfs/webhdfs-client.ts'
import { isRefusal, NameNodesAway } from '../webhdfs/webhdfs-error.ts'

export interface WebHdfsFileStoreOptions extends WebHdfsOptions {
  /** The folder in HDFS that paths are relative to: absolute, made when missing. */
  root: string
  /** Block size of uploads, bytes. Default: the cluster's own. */
  blockSize?: number
  /** How long the lock of `replace` is watched before it counts as left behind, ms. Default 20 000. */
  lockStaleMs?: number
  log: Logger
}

/** `FileStore` in HDFS. */
export interface WebHdfsFileStore extends FileStore {
  /**
   * Writes and removes a small file: rejects as `put` would, so that wrong addresses, missing rights and a full disk are told
   * at the start, not when the first file is due.
   */
  probe(): Promise<void>
}

/** Where `write` puts the new content first. */
const REPLACEMENTS = '_tmp/_write'
const STALE_MS = 24 * 3_600_000
const LISTINGS_AT_ONCE = 8
const RENAME_TRIES = 3
/** Uploads whose publish is still to come. A caller that never asks for it must not fill the memory. */
const MAX_REMEMBERED = 10_000

/**
 * `FileStore` in HDFS over WebHDFS.
 *
 * A file is known by its `fileId`, which a rename does not change: `publish` renames without leave to replace, then looks who
 * stands at the final path, whatever the answer was. So a lost answer, a rename that happens late and another writer come
 * out right:
 *
 *   final path has our file     published
 *   has another file            exists
 *   is empty                    not renamed, or not yet: again (three times, then the caller's turn)
 *   is a folder                 STORE_UNAVAILABLE; nothing is ever moved into it
 *
 * `replace` renames with leave to replace, and tells the outcome in the same way; replace-lock.ts says why a rename that happens
 * late undoes nothing.
 *
 * `put` succeeds only for a file that is whole there: length, closed and checksum; `publish` takes only those. What a failed
 * `put` leaves behind is removed when that can be done. Faults are STORE_UNAVAILABLE, nearly all retryable: what is mended in HDFS
 * needs no restart here. One that needs a person is logged as an error, once until the same operation works again.
 */
export function webhdfsFileStore(options: WebHdfsFileStoreOptions): WebHdfsFileStore {
  const { user, log } = options
  const root = checkedRoot(options.root)
  const client = new WebHdfsClient(options)
  const uploads = new Map<string, number>()
  /** By operation, what kind of fault was last logged. */
  const told = new Map<string, string>()
  let tidied = false

  const full = (path: string): string => {
    const parts = path.split('/')
    if (path.includes('\0') || parts.some(part => part === '' || part === '.' || part === '..' || part.includes(':'))) {
      throw new TypeError(
        `A path in HDFS is relative here, with /, without empty parts, ".", ".." and colons. Found: ${path}`,
      )
    }
    return `${root}/${path}`
  }

  async function atStore<T>(operation: string, what: string, work: () => Promise<T>): Promise<T> {
    try {
      const done = await work()
      told.delete(operation)
      return done
    } catch (cause) {
      const { error, needsPerson } = storeFault(what, cause, user)
      const kind = isRefusal(cause) ? cause.exception : error.name
      if (needsPerson && told.get(operation) !== kind) {
        told.set(operation, kind)
        log.error({ operation, err: error }, 'HDFS refuses what the archive needs: a person has to look')
      }
      throw error
    }
  }

  async function upload(localFile: string, temporary: string): Promise<void> {
    const target = full(temporary)
    uploads.delete(temporary)
    // An upload of this name that failed, and was not ours to remove then.
    if ((await client.status(target)) !== undefined) await client.remove(target)
    try {
      remember(temporary, (await uploadVerified(client, localFile, target, options.blockSize)).fileId)
    } catch (cause) {
      if (cause instanceof NameNodesAway) throw cause
      // Nothing depends on it: nobody else uses the name. HDFS may make the file yet, and what stays is removed after a day.
      await client.remove(target).catch(() => {})
      if (cause instanceof HttpFault && cause.sent && cause.code !== 'TIMEOUT') await mustTakeOneByte(cause)
      throw cause
    }
  }

  /**
   * Rejects with the reason why `cut` happened, if HDFS did it. A DataNode that refuses (quota, no room) answers and closes while
   * we still send, and the reset of the connection may take the answer with it; one byte is sent before anybody answers.
   */
  async function mustTakeOneByte(cut?: HttpFault): Promise<void> {
    const target = full(`${REPLACEMENTS}/${randomUUID()}`)
    const body = { bytes: 1, open: () => Readable.from([Buffer.from('\n')]) }
    try {
      await client.create(target, body, options.blockSize)
    } catch (refusal) {
      throw cut !== undefined && !isRefusal(refusal) ? cut : refusal
    } finally {
      await client.remove(target).catch(() => {})
    }
  }

  function remember(temporary: string, fileId: number): void {
    if (!Number.isSafeInteger(fileId) || fileId <= 0) {
      throw new ProcessorError(
        'STORE_UNAVAILABLE',
        'The server tells no fileId, without which a lost answer to a rename cannot be told from another writer: name the ' +
          `NameNodes, not an HttpFS gateway. Found: fileId ${fileId}.`,
      )
    }
    uploads.set(temporary, fileId)
    if (uploads.size > MAX_REMEMBERED) uploads.delete(uploads.keys().next().value as string)
  }

  async function publish(temporary: string, final: string): Promise<'published' | 'exists'> {
    const [from, to] = [full(temporary), full(final)]
    const fileId = uploads.get(temporary)
    let there = await client.status(to)
    if (fileId === undefined && there?.type !== 'FILE') {
      throw unavailable(
        `${final} cannot be published. It must be uploaded first. Found: no upload ${temporary} of ours.`,
      )
    }
    if (there === undefined) await client.mkdirs(parentOf(to))
    for (let attempt = 1; there === undefined; attempt++) {
      const answer = await client.rename(from, to, 'NONE').catch(error => error as Error)
      there = await client.status(to)
      if (there !== undefined) break
      // Only silence leaves open what happened.
      const isUnknown = answer instanceof NameNodesAway && answer.sent
      if (isUnknown && attempt < RENAME_TRIES) continue
      throw answer instanceof Error
        ? answer
        : unavailable(
            `${final} cannot be published. Found: nothing there, and "${answer}" as the answer to the rename.`,
          )
    }
    if (there.type !== 'FILE') {
      throw unavailable(
        `${final} cannot be published. A folder has its name: move it away. Found: ${there.type} at ${to}.`,
      )
    }
    if (there.fileId !== fileId) return 'exists'
    // Asked once more the answer is 'exists', as of every store.
    uploads.delete(temporary)
    return 'published'
  }

  async function replace(replacements: readonly Replacement[]): Promise<('replaced' | 'changed' | 'gone')[]> {
    if (replacements.length === 0) return []
    const lock = {
      client,
      root,
      uploads: replacements.map(({ temporary }) => temporary),
      staleMs: options.lockStaleMs,
    }
    return whileNobodyElseReplaces(lock, async pending => {
      const outcomes: ('replaced' | 'changed' | 'gone')[] = []
      for (const one of replacements) {
        const outcome = await replaceOne(one)
        if (outcome === 'replaced') pending.delete(one.temporary)
        uploads.delete(one.temporary)
        outcomes.push(outcome)
      }
      return outcomes
    })
  }

  async function replaceOne({ temporary, final, version }: Replacement): Promise<'replaced' | 'changed' | 'gone'> {
    const [from, to] = [full(temporary), full(final)]
    const fileId = uploads.get(temporary)
    if (fileId === undefined) throw unavailable(`${final} cannot be replaced. Found: no upload ${temporary} of ours.`)
    let answer: unknown
    for (let attempt = 0; ; attempt++) {
      const there = await client.status(to)
      if (there?.fileId === fileId) return 'replaced'
      if (there === undefined) return 'gone'
      if (versionOf(there) !== version) return 'changed'
      // Somebody took us for dead, and has removed the upload.
      if (isRefusal(answer, 'FileNotFoundException')) return 'changed'
      const isUnknown = answer instanceof NameNodesAway && answer.sent && attempt < RENAME_TRIES
      if (attempt > 0 && !isUnknown) {
        throw answer instanceof Error
          ? answer
          : unavailable(
              `${final} cannot be replaced. Found: the old file, and "${answer}" as the answer to the rename.`,
            )
      }
      answer = await client.rename(from, to, 'OVERWRITE').catch(error => error as Error)
    }
  }

  async function writeSmall(path: string, content: Uint8Array): Promise<void> {
    if (!tidied) {
      tidied = true
      await removeStaleReplacements().catch(() => {})
    }
    const temporary = full(`${REPLACEMENTS}/${randomUUID()}`)
    const target = full(path)
    await client.create(temporary, { bytes: content.length, open: () => Readable.from([Buffer.from(content)]) })
    try {
      const made = await client.status(temporary)
      if (made?.bytes !== content.length) {
        throw new UploadDiffers(temporary, `${content.length} bytes`, `${made?.bytes ?? 'no file'}`)
      }
      await client.mkdirs(parentOf(target))
      const answer = await client.rename(temporary, target, 'OVERWRITE').catch(error => error as Error)
      if ((await client.status(target))?.fileId === made.fileId) return
      throw answer instanceof Error
        ? answer
        : unavailable(
            `${path} cannot be replaced. Found: another file there, and "${answer}" as the answer to the rename.`,
          )
    } catch (cause) {
      if (!(cause instanceof NameNodesAway)) await client.remove(temporary).catch(() => {})
      throw cause
    }
  }

  async function removeStaleReplacements(): Promise<void> {
    for (const { path, modifiedAt } of await listFiles(client, root, REPLACEMENTS)) {
      if (Date.now() - modifiedAt > STALE_MS) await client.remove(full(path))
    }
  }

  return {
    put: (localFile, temporary) =>
      atStore('put', `${temporary} cannot be uploaded`, () => upload(localFile, temporary)),
    publish: (temporary, final) => atStore('publish', `${final} cannot be published`, () => publish(temporary, final)),
    replace: replacements => atStore('replace', 'files cannot be replaced', () => replace(replacements)),
    list: folder => atStore('list', `${folder} cannot be listed`, () => listFiles(client, root, folder)),
    stat: path =>
      atStore('stat', `${path} cannot be looked at`, async () => {
        const found = await client.status(full(path))
        return found?.type === 'FILE' ? storedFile(path, found) : undefined
      }),
    read: (path, from, to) => atStore('read', `${path} cannot be read`, () => client.read(full(path), from, to)),
    write: (path, content) => atStore('write', `${path} cannot be written`, () => writeSmall(path, content)),
    remove: path =>
      atStore('remove', `${path} cannot be removed`, async () => {
        await client.remove(full(path))
        uploads.delete(path)
      }),
    folders: folder =>
      atStore('list', `${folder} cannot be listed`, async () => {
        const entries = (await client.list(full(folder))) ?? []
        return entries.flatMap(({ type, name }) => (type === 'DIRECTORY' ? [name] : [])).sort()
      }),
    removeFolder: folder =>
      atStore('remove', `${folder} cannot be removed`, async () => {
        await client.remove(full(folder)).catch(error => {
          if (!isRefusal(error, 'PathIsNotEmptyDirectoryException')) throw error
        })
      }),
    probe: () => atStore('probe', `${root || '/'} cannot be written to`, () => mustTakeOneByte()),
  }
}

function unavailable(message: string): ProcessorError {
  return new ProcessorError('STORE_UNAVAILABLE', message, { retryable: true })
}

/** All files below a folder, in order of path (by code units). Several folders are listed at once. */
async function listFiles(client: WebHdfsClient, root: string, folder: string): Promise<StoredFile[]> {
  const files: StoredFile[] = []
  for (let level = [folder]; level.length > 0; ) {
    const below: string[] = []
    const listOne = async (path: string): Promise<void> => {
      const entries = (await client.list(path === '' ? root || '/' : `${root}/${path}`)) ?? []
      for (const entry of entries) {
        // A file lists itself, without a name.
        if (entry.name === '') continue
        const name = path === '' ? entry.name : `${path}/${entry.name}`
        if (entry.type === 'FILE') files.push(storedFile(name, entry))
        else if (entry.type === 'DIRECTORY') below.push(name)
      }
    }
    for (let i = 0; i < level.length; i += LISTINGS_AT_ONCE) {
      await Promise.all(level.slice(i, i + LISTINGS_AT_ONCE).map(listOne))
    }
    level = below
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}

function storedFile(path: string, status: HdfsStatus): StoredFile {
  return { path, bytes: status.bytes, modifiedAt: status.modifiedAt, version: versionOf(status) }
}

/** No file has the id of another one, and none is ever written to again. */
function versionOf({ fileId }: HdfsStatus): string {
  return String(fileId)
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

function checkedRoot(root: string): string {
  const parts = root.replace(/\/+$/, '').split('/').slice(1)
  if (!root.startsWith('/') || parts.some(part => part === '' || part === '.' || part === '..' || part.includes(':'))) {
    throw new TypeError(
      `The archive's folder in HDFS is an absolute path without colons, as /headwater. Found: ${root}`,
    )
  }
  return parts.length === 0 ? '' : `/${parts.join('/')}`
}
