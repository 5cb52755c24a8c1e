import { readFile } from 'node:fs/promises'
import { ARCHIVE_COLUMNS, ARCHIVE_SCHEMA_VERSION, type ArchiveTable } from '@headwater/core'
import { describe, expect, it } from 'vitest'
import { factsMetadata } from '../../src/sinks/archive-file-facts.ts'

const page = await readFile(new URL('../../../docs/reference/archive.md', import.meta.url), 'utf8')

/** The rows of the first table behind a heading. */
function tableOf(heading: string): string[] {
  const section = page.slice(page.indexOf(`\n## ${heading}\n`))
  const lines = section.split('\n')
  const first = lines.findIndex(line => line.startsWith('| --- '))
  return lines.slice(
    first + 1,
    lines.findIndex((line, i) => i > first && !line.startsWith('|')),
  )
}

describe('docs/reference/archive.md', () => {
  it.each(['event_log', 'scenario_log'] as ArchiveTable[])('lists the columns of %s as they are', table => {
    expect(tableOf(table)).toEqual(
      ARCHIVE_COLUMNS[table].map(
        ({ name, type, required, about }) => `| \`${name}\` | ${type} | ${required ? 'no' : 'yes'} | ${about} |`,
      ),
    )
  })

  it('lists the keys of the footer', () => {
    const owner = { table: 'event_log', log: 'event-log', partition: 0, generation: 0 } as const
    const order = { generation: 0, position: 0, index: 0, scenarioId: 0 }
    const metadata = factsMetadata(
      owner,
      { start: 0, end: 1, order, rows: 1, attempt: 'x' },
      ARCHIVE_SCHEMA_VERSION,
      [],
    )
    expect(tableOf('Footer').map(line => line.split('`')[1])).toEqual(Object.keys(metadata))
    expect(page).toContain(`| ${ARCHIVE_SCHEMA_VERSION}; raised when columns change |`)
  })
})
