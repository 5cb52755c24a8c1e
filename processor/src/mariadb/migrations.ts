import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One file of `db/`. */
export interface Migration {
  number: number
  /** `0001-scenario.sql`. */
  name: string
  /** SHA-256 of its content, hexadecimal. */
  checksum: string
  statements: string[]
}

/** The repository's `db/`, as seen from `src/mariadb` and `dist/mariadb`. */
export const MIGRATIONS_FOLDER: string = fileURLToPath(new URL('../../../db/', import.meta.url))

/** The migrations of a folder in their order: files named `<number>-<what>.sql`. */
export function readMigrations(folder: string = MIGRATIONS_FOLDER): Migration[] {
  return readdirSync(folder)
    .flatMap((name): Migration[] => {
      const number = /^(\d+)-.+\.sql$/.exec(name)?.[1]
      if (number === undefined) return []
      // The same sum however a checkout ends its lines.
      const text = readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n')
      const checksum = createHash('sha256').update(text).digest('hex')
      return [{ number: Number(number), name, checksum, statements: statementsOf(text) }]
    })
    .sort((a, b) => a.number - b.number)
}

/** Statements without comments; each ends with a `;` at the end of its line. */
function statementsOf(text: string): string[] {
  return text
    .replace(/^\s*--.*$/gm, '')
    .split(/;[ \t]*$/m)
    .map(statement => statement.trim())
    .filter(statement => statement !== '')
}
