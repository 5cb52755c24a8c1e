import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The folder of a service: the caller's, which stays, or a new one whose name begins with `name`, deleted by `remove`. */
export function serviceFolder(name: string, given: string | undefined): { folder: string; remove(): void } {
  const folder = given ?? mkdtempSync(join(tmpdir(), `${name}-`))
  mkdirSync(folder, { recursive: true })
  return {
    folder,
    remove() {
      if (given === undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
}
