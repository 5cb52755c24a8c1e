import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ProcessorError } from './errors.ts'

/** The format number that every state file of this version carries. */
export const STATE_FORMAT = 1

export interface StateFileReading<T> {
  /** Makes the value of the file's fields (without `format`); throws when they are not what they should be. */
  parse(fields: Record<string, unknown>): T
  /** What the operator can do about a damaged file; a whole sentence. */
  remedy: string
}

/**
 * Reads a small JSON state file; `undefined` when there is none.
 *
 * Rejects with FORMAT_UNKNOWN when `format` is not 1, with STATE_DAMAGED when it is not JSON or `parse` throws, and with a
 * retryable STORE_UNAVAILABLE when the disk does not answer.
 */
export async function readStateFile<T>(path: string, reading: StateFileReading<T>): Promise<T | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new ProcessorError('STORE_UNAVAILABLE', `${path} cannot be read. Found: ${message(cause)}.`, {
      retryable: true,
      cause,
    })
  }
  const damaged = (found: string, cause?: unknown): ProcessorError =>
    new ProcessorError('STATE_DAMAGED', `${path} is damaged. Found: ${found}. ${reading.remedy}`, { cause })

  let fields: unknown
  try {
    fields = JSON.parse(text)
  } catch (cause) {
    throw damaged(`no JSON (${text.length} characters)`, cause)
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) throw damaged('JSON that is no object')
  const { format, ...rest } = fields as Record<string, unknown>
  if (format !== STATE_FORMAT) {
    throw new ProcessorError(
      'FORMAT_UNKNOWN',
      `${path} must have format ${STATE_FORMAT}; another version of Headwater may have written it. ` +
        `Found: ${JSON.stringify(format)}.`,
    )
  }
  try {
    return reading.parse(rest)
  } catch (cause) {
    throw damaged(message(cause), cause)
  }
}

/** The last write under way for each path: writes to one path share its temporary name, so they take turns. */
const writing = new Map<string, Promise<void>>()

/**
 * Replaces a state file: `<name>.tmp`, fsync, rename, fsync of the folder (made when missing). Resolves once the new
 * content would survive a power cut; rejects with a retryable STORE_UNAVAILABLE and leaves the old content. `fields` are
 * encoded at the call and get `"format":1` in front. Calls for one path are done in their order.
 */
export function writeStateFile(path: string, fields: object): Promise<void> {
  const text = `${JSON.stringify({ format: STATE_FORMAT, ...fields })}\n`
  const before = writing.get(path)
  const write =
    before === undefined ? replace(path, text) : before.then(undefined, () => {}).then(() => replace(path, text))
  writing.set(path, write)
  const done = (): void => {
    if (writing.get(path) === write) writing.delete(path)
  }
  write.then(done, done)
  return write
}

async function replace(path: string, text: string): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `${basename(path)}.tmp`)
  try {
    await mkdir(folder, { recursive: true })
    const file = await open(temporary, 'w')
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(folder)
  } catch (cause) {
    throw new ProcessorError('STORE_UNAVAILABLE', `${path} cannot be written. Found: ${message(cause)}.`, {
      retryable: true,
      cause,
    })
  }
}

/** Makes names that were created, renamed or removed in a folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function message(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
