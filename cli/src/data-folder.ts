import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

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

export function makeFolders(folder: DataFolder): void {
  for (const dir of [join(folder.root, 'log'), folder.segments, folder.archive, folder.deadLetters])
    mkdirSync(dir, { recursive: true })
}
