import { stat } from 'node:fs/promises'
import { ProcessorError } from '../errors.ts'

/** Names one content of a file by what `stat` says. */
export interface FileIdentity {
  /** Differs whenever the file was replaced or written, as far as its clock can tell. */
  key: string
  /** Whether the file was written so recently that a second write could have left the same times and size. */
  fresh: boolean
}

/** Clocks of file systems tick as coarsely as every 2 s (FAT); git calls such a file "racily clean". */
const COARSEST_TICK_MS = 2_500

/** What a file is now, or `undefined` when there is none. Rejects with a retryable STORE_UNAVAILABLE for other faults. */
export async function fileIdentity(path: string): Promise<FileIdentity | undefined> {
  try {
    const { ino, size, mtimeNs, mtimeMs } = await stat(path, { bigint: true })
    return { key: `${ino} ${size} ${mtimeNs}`, fresh: Math.abs(Date.now() - Number(mtimeMs)) < COARSEST_TICK_MS }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new ProcessorError('STORE_UNAVAILABLE', `${path} cannot be read. Found: ${(cause as Error).message}.`, {
      retryable: true,
      cause,
    })
  }
}
