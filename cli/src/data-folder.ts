import { accessSync, constants } from 'node:fs'
import { join, resolve } from 'node:path'
import { makeFolder } from '@headwater/processor'

/** Where everything lies under one data folder; absolute paths. */
export interface DataFolder {
  root: string
  /** The access log; rotated ones lie beside it. */
  accessLog: string
  /** Positions, segments, statistics, ports, the lock. */
  state: string
  segments: string
  archive: string
  deadLetters: string
  /** Which ports the running process chose: `{"gateway":n,"metrics":n}`. */
  ports: string
}

export function dataFolder(dataDir: string): DataFolder {
  const root = resolve(dataDir)
  const state = join(root, 'state')
  return {
    root,
    accessLog: join(root, 'log', 'access.log'),
    state,
    segments: join(state, 'segments'),
    archive: join(root, 'archive'),
    deadLetters: join(root, 'dead-letter'),
    ports: join(state, 'ports.json'),
  }
}

/** The data folder cannot hold what it must. */
export class DataFolderError extends Error {
  readonly code = 'DATA_DIR_UNUSABLE'

  constructor(folder: string, cause: Error) {
    super(
      `DATA_DIR_UNUSABLE: the data folder must be one that this user can make files in. Found: ${cause.message}. ` +
        `Give ${folder} to this user, or choose another folder with --data-dir or HEADWATER_DATA_DIR.`,
      { cause },
    )
    this.name = 'DataFolderError'
  }
}

/** Makes what is missing of the folder. Throws `DataFolderError`. */
export function makeFolders(folder: DataFolder): void {
  try {
    for (const dir of [join(folder.root, 'log'), folder.state, folder.segments, folder.archive, folder.deadLetters]) {
      makeFolder(dir)
      accessSync(dir, constants.W_OK | constants.X_OK)
    }
  } catch (error) {
    throw new DataFolderError(folder.root, error as Error)
  }
}
