import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

/** Where a program stands, or undefined. Debian keeps servers in /usr/sbin, which is not on every PATH. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

/** Whether there is such a file, and we may run it. */
export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
