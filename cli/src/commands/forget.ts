import { existsSync, readFileSync } from 'node:fs'
import {
  archiveInPlace,
  expireArchive,
  expireDeadLetters,
  type ForgetSubject,
  type Forgotten,
  forget,
  localFileStore,
  removeLeftUploads,
} from '@headwater/processor'
import { pino } from 'pino'
import { type Config, isDistributed } from '../config.ts'
import { type DataFolder, dataFolder } from '../data-folder.ts'
import { folderHolder, lockFolder } from '../folder-lock.ts'
import { expiredSentence, type ForgetCommandOptions, forgottenSentences, refused, rowsLeft } from '../forget-report.ts'
import type { LoadedConfig } from '../load-config.ts'
import { localUrl } from '../local-url.ts'
import { deleteOldLogs, type LogRemains, logRemains, unarchivedEvents } from '../log-remains.ts'
import { progressLine } from '../progress-line.ts'
import { archivingOf } from '../stage-options.ts'

/** An upload takes seconds; what is older was left by a crash. */
const LEFT_UPLOAD_MS = 3_600_000

/**
 * `headwater forget`: removes a visitor's or member's rows from the archive, whether the server runs or not, and proves it by a
 * query. Exit status 1 when something of the archive is left.
 */
export async function forgetRows({ config }: LoadedConfig, options: ForgetCommandOptions): Promise<void> {
  const subject = subjectOf(options)
  if (isDistributed(config))
    return (await import('../forget-distributed.ts')).forgetDistributed(config, subject, options)
  const folder = dataFolder(config.dataDir)
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

/** What retention does, now; the second step, removing emptied files, is the server's or the next call's after an hour. */
async function forgetExpired(config: Config, folder: DataFolder): Promise<void> {
  const { keepDays } = config.archive
  const expired = await expireArchive({
    files: localFileStore(folder.archive),
    tempDir: archivingOf(config, folder).tempDir,
    keepDays,
    log: pino({ level: 'silent' }),
  })
  const letters = await expireDeadLetters(folder.deadLetters, config.deadLetters.keepDays)
  console.log(expiredSentence(keepDays, expired))
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
      files,
      copy: archiveInPlace(folder.archive),
      tempDir: archivingOf(config, folder).tempDir,
      settle: pid === undefined ? async () => (await unarchivedEvents(folder)) === 0 : () => settle(config, folder),
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

  if (options.json === true) console.log(JSON.stringify({ ...forgotten, unarchived, deleted, remains }, null, 2))
  else {
    for (const sentence of forgottenSentences(forgotten, subject, options.dryRun === true)) console.log(sentence)
    if (deleted !== undefined)
      console.log(`Deleted ${deleted} access logs and segments that every reader is past, whatever log.keepMs says.`)
    for (const sentence of remainSentences(remains, unarchived)) console.log(sentence)
  }
  if ((rowsLeft(forgotten) > 0 && options.dryRun !== true) || unarchived > 0) process.exitCode = 1
}

async function settle({ metrics: { host } }: Config, folder: DataFolder): Promise<boolean> {
  const ask = async (): Promise<Response> => {
    const { metrics } = JSON.parse(readFileSync(folder.ports, 'utf8')) as { metrics: number }
    return fetch(`${localUrl(host, metrics)}/archive/settle`, { signal: AbortSignal.timeout(60_000) })
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
  return true
}

function remainSentences({ files, deadLetters }: LogRemains, unarchived: number): string[] {
  const said: string[] = []
  if (unarchived > 0)
    said.push(
      '! What came last waits in the logs and is not in the archive yet: the server ended before it had read it all. Start it, and run this command again.',
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
