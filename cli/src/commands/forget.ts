import { existsSync, readFileSync } from 'node:fs'
import {
  expireArchive,
  expireDeadLetters,
  type ForgetSubject,
  type Forgotten,
  forget,
  localFileStore,
  removeLeftUploads,
} from '@headwater/processor'
import { CommanderError } from 'commander'
import { pino } from 'pino'
import type { Config } from '../config.ts'
import { isArchiveRemote } from '../copy-archive.ts'
import { type DataFolder, dataFolder } from '../data-folder.ts'
import { folderHolder, lockFolder } from '../folder-lock.ts'
import type { LoadedConfig } from '../load-config.ts'
import { deleteOldLogs, type LogRemains, logRemains, unarchivedEvents } from '../log-remains.ts'
import { progressLine } from '../progress-line.ts'

export interface ForgetCommandOptions {
  visitor?: string
  member?: string
  expired?: boolean
  dryRun?: boolean
  logs?: boolean
  json?: boolean
}

/** An upload takes seconds; what is older was left by a crash. */
const LEFT_UPLOAD_MS = 3_600_000

/**
 * `headwater forget`: removes a visitor's or member's rows from the archive, whether the server runs or not, and proves it by a
 * query. Exit status 1 when something of the archive is left.
 */
export async function forgetRows({ config }: LoadedConfig, options: ForgetCommandOptions): Promise<void> {
  if (isArchiveRemote(config))
    throw refused(
      'it cannot rewrite an archive in HDFS yet (docs/guide/distributed.md says what to do instead). ' +
        `Found: hdfs.nameNodes ${config.hdfs.nameNodes.join(', ')}`,
    )
  const folder = dataFolder(config.dataDir)
  const subject = subjectOf(options)
  if (!existsSync(folder.archive)) throw refused(`there is no archive in ${folder.root}`)
  const pid = folderHolder(folder.state)
  if (pid !== undefined && options.logs === true)
    throw refused(`--logs wants the server stopped, and process ${pid} works in ${folder.root}`)
  // Nobody starts a server in the middle of it; one that runs already goes on.
  const unlock = pid === undefined ? lockFolder(folder.state) : () => {}
  try {
    if (subject === undefined) await forgetExpired(config, folder)
    else await forgetSubject(config, folder, subject, pid, options)
  } finally {
    unlock()
  }
}

function subjectOf({ visitor, member, expired }: ForgetCommandOptions): ForgetSubject | undefined {
  const given = [visitor !== undefined, member !== undefined, expired === true].filter(Boolean).length
  if (given !== 1) throw refused(`one of --visitor, --member and --expired is needed, and ${given} were given`)
  if (member !== undefined) {
    if (member === '') throw refused('--member wants an id, and an empty text was given')
    return { member }
  }
  if (visitor === undefined) return undefined
  if (!/^[0-9a-fA-F]{16}$/.test(visitor))
    throw refused(`--visitor wants 16 hex digits, as in the column visitor_id, and ${visitor} was given`)
  return { visitor: visitor.toLowerCase() }
}

function refused(sentence: string): CommanderError {
  return new CommanderError(1, 'forget', `error: ${sentence}.`)
}

/** What retention does, now; the second step, removing emptied files, is the server's or the next call's after an hour. */
async function forgetExpired({ archive, deadLetters }: Config, folder: DataFolder): Promise<void> {
  const log = pino({ level: 'silent' })
  const files = localFileStore(folder.archive)
  const { rows, emptied, removed } = await expireArchive({
    dir: folder.archive,
    files,
    keepDays: archive.keepDays,
    log,
  })
  const letters = await expireDeadLetters(folder.deadLetters, deadLetters.keepDays)
  if (archive.keepDays === undefined) console.log('archive.keepDays is not set: the archive is kept for ever.')
  else console.log(`${rows} rows deleted in ${emptied} files, ${removed} empty files removed.`)
  console.log(`${letters.length} files of dead letters deleted.`)
}

async function forgetSubject(
  config: Config,
  folder: DataFolder,
  subject: ForgetSubject,
  pid: number | undefined,
  options: ForgetCommandOptions,
): Promise<void> {
  const progress = progressLine(process.stderr, 'steps')
  const files = localFileStore(folder.archive)
  let steps = 0
  let forgotten: Forgotten
  try {
    forgotten = await forget({
      subject,
      archiveDir: folder.archive,
      files,
      settle: pid === undefined ? async () => {} : () => settle(config, folder),
      dryRun: options.dryRun === true,
      codec: config.archive.codec,
      onProgress: (_, done) => progress.show(++steps, done),
    })
  } finally {
    progress.end()
  }
  if (options.dryRun !== true) await removeLeftUploads(files, pid === undefined ? 0 : LEFT_UPLOAD_MS)
  const unarchived = pid === undefined ? await unarchivedEvents(folder) : 0
  const deleted = options.logs === true && options.dryRun !== true ? await deleteOldLogs(config, folder) : undefined
  const remains = await logRemains(config, folder, subject)

  const left = forgotten.tables.reduce((rows, table) => rows + table.left, 0)
  if (options.json === true) console.log(JSON.stringify({ ...forgotten, unarchived, deleted, remains }, null, 2))
  else {
    for (const sentence of sentences(forgotten, subject, options.dryRun === true)) console.log(sentence)
    if (deleted !== undefined)
      console.log(`Deleted ${deleted} access logs and segments that every reader is past, whatever log.keepMs says.`)
    for (const sentence of remainSentences(remains, unarchived)) console.log(sentence)
  }
  if ((left > 0 && options.dryRun !== true) || unarchived > 0) process.exitCode = 1
}

async function settle({ metrics: { host } }: Config, folder: DataFolder): Promise<void> {
  const ask = async (): Promise<Response> => {
    const { metrics } = JSON.parse(readFileSync(folder.ports, 'utf8')) as { metrics: number }
    return fetch(`http://${host}:${metrics}/archive/settle`, { signal: AbortSignal.timeout(60_000) })
  }
  const answer = await ask().catch(cause => {
    // It is starting or stopping just now, or its port is not reached from here.
    throw refused(`the running server must archive what it holds first, and it cannot be asked (${String(cause)})`)
  })
  await answer.text()
  if (!answer.ok)
    throw refused(
      `the running server could not archive what it holds within 30 s, and its log says why (status ${answer.status}). ` +
        'Nothing was removed; try again, or stop the server first',
    )
}

function sentences({ before, tables, otherIds }: Forgotten, subject: ForgetSubject, dryRun: boolean): string[] {
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
  if (otherIds.length > 0)
    said.push(
      `These events bore ${'visitor' in subject ? 'members' : 'visitors'}, too, whose other rows are still there: ` +
        `${otherIds.join(', ')}.`,
    )
  said.push('Counters keep their totals: they hold no visitor and no member.')
  return said
}

function remainSentences({ files, deadLetters }: LogRemains, unarchived: number): string[] {
  const said: string[] = []
  if (unarchived > 0)
    said.push(
      `! At most ${unarchived} records (events and outcomes) wait in the logs and are not in the archive yet: the server was ` +
        'killed. Start it, and run this command again.',
    )
  for (const { path, lines, until } of files)
    said.push(`  ${path}: ${lines} requests, ${until === undefined ? 'the newest log' : `until ${until}`}`)
  if (files.length > 0)
    said.push(
      'So much stays in access logs, and the same events in state/segments, until a running server deletes them ' +
        '(docs/guide/privacy.md says when).',
    )
  for (const { path, lines, until } of deadLetters) said.push(`  ${path}: ${lines} dead letters, until ${until}`)
  if (said.length === 0) said.push('No access log and no dead letter names it.')
  return said
}
