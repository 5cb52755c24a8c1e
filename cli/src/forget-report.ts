import type { ForgetSubject, Forgotten } from '@headwater/processor'
import { CommanderError } from 'commander'

export interface ForgetCommandOptions {
  visitor?: string
  member?: string
  expired?: boolean
  dryRun?: boolean
  logs?: boolean
  json?: boolean
}

export function refused(sentence: string): CommanderError {
  return new CommanderError(1, 'forget', `error: ${sentence}.`)
}

/** What was done in the archive, for people. */
export function forgottenSentences(
  { before, tables, eventsKept, otherIds }: Forgotten,
  subject: ForgetSubject,
  dryRun: boolean,
): string[] {
  const [kind, id] = 'visitor' in subject ? ['visitor', subject.visitor] : ['member', subject.member]
  const said = [`${kind} ${id}, all that was received before ${new Date(before).toISOString()}:`]
  for (const { table, files, concerned, found, rewritten, removed, left, since } of tables) {
    if (dryRun) {
      said.push(`  ${table}: ${found} rows in ${concerned} of ${files} files (nothing was changed)`)
      continue
    }
    said.push(
      `  ${table}: ${files} files looked at, ${rewritten} rewritten, ${removed} rows removed, ${left} rows left`,
    )
    if (since > 0) said.push(`  ${table}: ${since} rows came in meanwhile; they are there`)
  }
  if (eventsKept)
    said.push('! event_log was left as it is: outcomes that are still to be archived are known by its events alone.')
  if (otherIds.length > 0)
    said.push(
      `These events bore ${'visitor' in subject ? 'members' : 'visitors'}, too, whose other rows are still there: ` +
        `${otherIds.join(', ')}.`,
    )
  said.push('Counters keep their totals: they hold no visitor and no member.')
  return said
}

/** Rows of the subject that the proof found, of both tables. */
export function rowsLeft({ tables }: Forgotten): number {
  return tables.reduce((rows, table) => rows + table.left, 0)
}

/** What `--expired` did in the archive. */
export function expiredSentence(
  keepDays: number | undefined,
  { rows, emptied, removed }: { rows: number; emptied: number; removed: number },
): string {
  if (keepDays === undefined) return 'archive.keepDays is not set: the archive is kept for ever.'
  return `${rows} rows deleted in ${emptied} files, ${removed} empty files removed.`
}
