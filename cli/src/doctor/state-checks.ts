import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import {
  inspectSegments,
  type LogName,
  localFileStore,
  readStateFile,
  refuseLostState,
  stateFileStatsStore,
} from '@headwater/processor'
import { bytesText, type Check, type Finding, fail, ok, type Patient, warn } from './check.ts'
import { committedPosition } from './committed-position.ts'
import { askHealth } from './port-checks.ts'

/** Readers of the logs between the stages, as they commit. */
const GROUPS: readonly { group: string; log: LogName }[] = [
  { group: 'stats', log: 'scenario-log' },
  { group: 'archive-event-log', log: 'event-log' },
  { group: 'archive-scenario-log', log: 'scenario-log' },
  { group: 'dead-letter', log: 'dead-letter' },
]
const MAX_LAG_BYTES = 50e6
const MAX_LAG_RECORDS = 1e6

/** Files of `state/` that the next start must be able to read. */
export const stateCheck: Check = {
  name: 'state',
  async run({ folder }): Promise<Finding[]> {
    const found: Finding[] = []
    const remedy = 'The message says what can be done; a backup of the data folder has the file, too.'
    const note = async (work: () => Promise<unknown>) => {
      try {
        await work()
      } catch (error) {
        found.push(fail((error as Error).message, remedy))
      }
    }
    for (const name of ['log-files.json', 'scenario-versions.json'])
      await note(() => readStateFile(join(folder.state, name), { parse: fields => fields, remedy: '' }))
    for (const { group } of GROUPS) await note(() => committedPosition(folder, group))
    await note(() => stateFileStatsStore({ file: join(folder.state, 'stats.json') }).load(0))
    if (found.length > 0) return found
    const segments = await inspectSegments(folder.segments)
    if (segments.to === undefined && existsSync(folder.archive))
      await note(() => refuseLostState(localFileStore(folder.archive)))
    if (found.length > 0) return found
    const torn = segments.tornBytes > 0 ? `, ${segments.tornBytes} torn bytes that the next start cuts off` : ''
    return [ok(`Positions, counters and ${segments.files} segments (${bytesText(segments.bytes)}${torn}) can be read.`)]
  },
}

/** How far behind the newest beacon everybody is. */
export const progressCheck: Check = {
  name: 'progress',
  run: patient => (patient.pid === undefined ? storedProgress(patient) : runningProgress(patient)),
}

async function runningProgress(patient: Patient): Promise<Finding[]> {
  const ready = await askHealth(patient, '/readyz')
  const metrics = await askHealth(patient, '/metrics')
  if (ready === undefined || metrics === undefined)
    return [
      fail('The running process does not answer on its metrics port.', 'It is starting, or it hangs: look at its log.'),
    ]
  const found: Finding[] = []
  if (ready.status !== 200)
    for (const reason of ready.body.trim().split('\n'))
      found.push(
        fail(`The running process is not ready: ${reason}`, 'Bring back what is missing; it goes on by itself.'),
      )
  const { value, labelled } = readMetrics(metrics.body)
  const lag = value('headwater_tailer_lag_bytes')
  const slow = 'It is catching up, or the machine is too small for the traffic: look again in a minute, and at its CPU.'
  const lagText = `${bytesText(lag)} of access log are not judged yet.`
  found.push(lag > MAX_LAG_BYTES ? warn(lagText, slow) : ok(lagText))
  const behind = labelled('headwater_logs_lag_records')
  for (const [group, records] of behind)
    if (records > MAX_LAG_RECORDS) found.push(warn(`${group} has ${records} records still to read.`, slow))
  if (behind.size > 0) found.push(ok(`Records to read: ${[...behind].map(pair => pair.join(' ')).join(', ')}.`))
  const lost = value('headwater_tailer_lost_bytes_total')
  if (lost > 0)
    found.push(
      fail(
        `${bytesText(lost)} of access log were deleted before they were read.`,
        'Let nothing but Headwater delete or truncate files in log/; bring them back from a backup to have them read.',
      ),
    )
  const damaged = labelled('headwater_stats_outcomes_total').get('damaged') ?? 0
  if (damaged > 0)
    found.push(warn(`${damaged} records could not be read.`, 'Check the memory and the disk of this machine.'))
  return found
}

/** Prometheus' text format, as far as our own page goes: one label at most, no escapes. */
function readMetrics(text: string): { value(name: string): number; labelled(name: string): Map<string, number> } {
  return {
    value: name => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0),
    labelled: name =>
      new Map(
        [...text.matchAll(new RegExp(`^${name}\\{\\w+="([^"]*)"\\} (\\S+)$`, 'gm'))].map(([, label, value]) => [
          label as string,
          Number(value),
        ]),
      ),
  }
}

async function storedProgress({ folder }: Patient): Promise<Finding[]> {
  const segments = await inspectSegments(folder.segments)
  if (segments.to === undefined) return [ok('Nothing was read yet.')]
  const unread = await unreadBytes(folder.accessLog, join(folder.state, 'log-files.json'), segments.to)
  const found = [
    ok(`The next start reads ${unread === undefined ? 'the access log' : `${bytesText(unread)} of access log`}.`),
  ]
  const behind: string[] = []
  for (const { group, log } of GROUPS) {
    const position = await committedPosition(folder, group).catch(() => undefined)
    const from = position ?? segments.oldest(log)
    // Of archive and statistics this is a hint; what they have done they keep themselves.
    behind.push(`${group} ${Math.max(0, segments.end(log) - from)}`)
    if (from < segments.oldest(log))
      found.push(
        warn(
          `${group} has read up to ${from}, and the segments begin at ${segments.oldest(log)}.`,
          'Files of state/segments were deleted by hand, or an older state was brought back: headwater doctor --archive says whether rows are missing.',
        ),
      )
  }
  found.push(ok(`Records it finds unread: ${behind.join(', ')}.`))
  return found
}

/** Bytes of the live log behind the position; undefined when it is not the file that was read last. */
async function unreadBytes(live: string, logFiles: string, position: number): Promise<number | undefined> {
  const extents = await readStateFile(logFiles, {
    remedy: '',
    parse: fields => fields.extents as { base: number; inode: number; to?: number }[],
  }).catch(() => undefined)
  const last = extents?.at(-1)
  const found = statSync(live, { throwIfNoEntry: false })
  if (last === undefined || found === undefined || found.ino !== last.inode) return undefined
  return Math.max(0, found.size - (position - last.base))
}

/** What lies in the data folder, and what should not. */
export const sizeCheck: Check = {
  name: 'sizes',
  async run({ folder, config }): Promise<Finding[]> {
    const name = basename(folder.accessLog)
    const logs = filesBelow(dirname(folder.accessLog)).filter(file => basename(file.path).startsWith(name))
    const sum = (files: readonly { bytes: number }[]) => bytesText(files.reduce((all, { bytes }) => all + bytes, 0))
    const segments = filesBelow(folder.segments)
    const archive = filesBelow(folder.archive).filter(file => file.path.endsWith('.parquet'))
    const dead = filesBelow(folder.deadLetters)
    const found = [
      ok(
        `Access logs ${logs.length} (${sum(logs)}), segments ${segments.length} (${sum(segments)}), ` +
          `archive ${archive.length} (${sum(archive)}), dead letters ${dead.length} (${sum(dead)}).`,
      ),
    ]
    const kept = Math.max(config.log.keepMs, config.dedup.windowMs)
    const old = logs.filter(file => file.path !== folder.accessLog && file.modifiedAt < Date.now() - kept - 3_600_000)
    if (old.length > 0)
      found.push(
        warn(
          `${old.length} rotated logs (${sum(old)}) are older than log.keepMs, and were not deleted.`,
          'Not everybody has read them, or no process runs: start it and look again in a few minutes.',
        ),
      )
    const compressed = logs.filter(file => /\.(?:gz|bz2|xz|zst|lz4|zip|Z)$/.test(file.path))
    if (compressed.length > 0)
      found.push(
        warn(
          `${compressed.length} compressed logs are not read, such as ${compressed[0]?.path}.`,
          'Let no logrotate touch log/: Headwater rotates and deletes by itself. What was not read can be unpacked again.',
        ),
      )
    return found
  },
}

function filesBelow(folder: string): { path: string; bytes: number; modifiedAt: number }[] {
  let names: string[]
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  } catch {
    return []
  }
  return names.flatMap(name => {
    const path = join(folder, name)
    const found = statSync(path, { throwIfNoEntry: false })
    return found?.isFile() ? [{ path, bytes: found.size, modifiedAt: found.mtimeMs }] : []
  })
}
