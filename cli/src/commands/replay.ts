import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Scenario } from '@headwater/core'
import {
  archiveReplaySource,
  createReplayArchive,
  fileMemberStore,
  jsonScenarioStore,
  localFileStore,
  logReplaySource,
  type MemberStore,
  type ReplayArchive,
  type ReplayedScenario,
  type ReplayResult,
  type ReplaySource,
  readScenarios,
  replayScenarios,
  type ScenarioStore,
} from '@headwater/processor'
import Table from 'cli-table3'
import { CommanderError } from 'commander'
import { pino } from 'pino'
import { type Config, isDistributed } from '../config.ts'
import { copyArchive } from '../copy-archive.ts'
import { type DataFolder, dataFolder } from '../data-folder.ts'
import { exampleFile } from '../example-files.ts'
import type { LoadedConfig } from '../load-config.ts'
import { progressLine } from '../progress-line.ts'
import { siteTimezoneOf } from '../stage-options.ts'

export interface ReplayCommandOptions {
  /** Default `beacons`. */
  as?: 'beacons' | 'pageviews'
  host?: string
  /** Unix ms. */
  from?: number
  until?: number
  site?: number
  scenarios?: string
  scenario: readonly number[]
  to?: string
  json?: boolean
}

/** `headwater replay`: judges the archive, or log files, by scenarios, beside whatever runs. */
export async function replay(
  { config }: LoadedConfig,
  files: readonly string[],
  options: ReplayCommandOptions,
): Promise<void> {
  check(files, options)
  const folder = dataFolder(config.dataDir)
  const live = await liveStores(config, folder)
  try {
    await judge(config, folder, live, files, options)
  } finally {
    await live.close()
  }
}

async function judge(
  config: Config,
  folder: DataFolder,
  live: LiveStores,
  files: readonly string[],
  options: ReplayCommandOptions,
): Promise<void> {
  const { scenarios, knownIds } = await chosenScenarios(live, options)
  if (files.length === 0) await copyArchive(config, folder)
  const source = sourceOf(files, options, config, folder)

  // Before the new archive is made, so that it is taken away again whenever Ctrl-C comes.
  const stop = new AbortController()
  const abort = (): void => stop.abort(new CommanderError(130, 'replay', 'Stopped: nothing was kept.'))
  process.once('SIGINT', abort).once('SIGTERM', abort)
  const archive = options.to === undefined ? undefined : await newArchive(options.to, files.length > 0, config)
  const progress = progressLine(process.stderr, 'events')
  const started = performance.now()
  let result: ReplayResult
  try {
    result = await replayScenarios({
      scenarios,
      knownIds,
      source,
      members: live.members,
      timezone: config.timezone,
      siteTimezone: siteTimezoneOf(config),
      range: { from: options.from, until: options.until, siteId: options.site },
      dedup: config.dedup,
      ...(archive && { keep: judged => archive.keep(judged) }),
      onProgress: ({ events, share }) => progress.show(events, share),
      signal: stop.signal,
    })
    await archive?.finish()
  } catch (error) {
    await archive?.discard()
    throw error
  } finally {
    progress.end()
    process.off('SIGINT', abort).off('SIGTERM', abort)
  }
  const seconds = (performance.now() - started) / 1000
  if (options.json === true) console.log(JSON.stringify(result.scenarios.map(jsonRow), null, 2))
  else console.log(tableOf(result.scenarios))
  const say = options.json === true ? console.error : console.log
  const ranged = [options.from, options.until, options.site].some(limit => limit !== undefined)
  for (const sentence of sentences(result, seconds, files.length, ranged, folder)) say(sentence)
  if (options.to !== undefined)
    say(`Archived in ${options.to}: npx headwater query --data-dir ${options.to} "SELECT count(*) FROM scenario_log"`)
}

function check(files: readonly string[], options: ReplayCommandOptions): void {
  if (files.length === 0 && (options.as !== undefined || options.host !== undefined))
    throw usage('--as and --host are about log files. Name them: headwater replay --as pageviews access.log …')
  if (options.host !== undefined && options.as !== 'pageviews')
    throw usage('--host is about --as pageviews: beacons say their address themselves.')
  if (options.from !== undefined && options.until !== undefined && options.from >= options.until)
    throw usage(
      `--until must be later than --from. Found: ${isoTime(options.from)} to ${isoTime(options.until)}, an empty range.`,
    )
}

function sourceOf(
  files: readonly string[],
  options: ReplayCommandOptions,
  config: Config,
  folder: DataFolder,
): ReplaySource {
  if (files.length === 0)
    return archiveReplaySource({ archiveDir: folder.archive, files: localFileStore(folder.archive) })
  if (options.as !== 'pageviews') return logReplaySource({ files, as: 'beacons', ingestSiteId: config.ingest.siteId })
  const siteId = options.site ?? config.ingest.siteId
  const host = options.host ?? config.sites.find(site => site.id === siteId)?.hosts[0]
  if (host === undefined)
    throw usage(
      'a web log has paths only, and a page view needs its address: say whose pages they are, as --host https://shop.example, ' +
        `or set "hosts" of site ${siteId} in the configuration.`,
    )
  return logReplaySource({ files, as: 'pageviews', origin: originOf(host), siteId })
}

/** `shop.example` is https, as nearly every site is. */
function originOf(host: string): string {
  try {
    const url = new URL(host.includes('://') ? host : `https://${host}`)
    if (url.protocol === 'https:' || url.protocol === 'http:') return url.origin
  } catch {}
  throw usage(`--host must be a host name or an origin, such as https://shop.example. Found: ${host}.`)
}

/** What judges the live events. */
interface LiveStores {
  /** Where the scenarios are: a file's path, or MariaDB. */
  where: string
  /** `undefined`: a file, and no data folder whose versions it could go on from; none is made for a mere look. */
  scenarios: Pick<ScenarioStore, 'list' | 'removedIds' | 'faults'> | undefined
  members: MemberStore
  close(): Promise<void>
}

async function liveStores(config: Config, folder: DataFolder): Promise<LiveStores> {
  const log = pino({ level: 'silent' })
  if (isDistributed(config) && config.mariadb.host !== undefined) {
    const { requiredMariadb } = await import('../distributed-parts.ts')
    const { mariadbMemberStore, mariadbScenarioStore } = await import('@headwater/processor/distributed')
    const db = requiredMariadb(config)
    return {
      where: 'the scenarios in MariaDB',
      scenarios: mariadbScenarioStore({ db, log }),
      members: mariadbMemberStore({ db }),
      close: () => db.close(),
    }
  }
  const file = config.scenarios.file ?? exampleFile('scenarios.json')
  const stateFile = join(folder.state, 'scenario-versions.json')
  return {
    where: file,
    scenarios: existsSync(folder.state) ? jsonScenarioStore({ file, stateFile, readOnly: true, log }) : undefined,
    members: fileMemberStore({ file: config.members.file ?? exampleFile('members.csv'), log }),
    close: async () => {},
  }
}

/** Those that judge, and the ids of all others that a running server would know. */
async function chosenScenarios(
  { where: configured, scenarios: store }: LiveStores,
  options: ReplayCommandOptions,
): Promise<{ scenarios: Scenario[]; knownIds: Set<number> }> {
  const knownIds = new Set<number>()
  let live: readonly Scenario[] = []
  if (store !== undefined) {
    live = await store.list()
    for (const id of await store.removedIds()) knownIds.add(id)
    if (options.scenarios === undefined)
      for (const { where, message } of store.faults())
        console.error(`! ${where}: ${message} (the last good version, if there is one, is judged)`)
  } else if (options.scenarios === undefined) live = await readScenarios(configured)
  const all = options.scenarios === undefined ? live : await readScenarios(resolve(options.scenarios))
  for (const { scenario_id } of [...live, ...all]) knownIds.add(scenario_id)
  if (options.scenario.length === 0) return { scenarios: [...all], knownIds }

  const missing = options.scenario.filter(id => !all.some(({ scenario_id }) => scenario_id === id))
  if (missing.length > 0)
    throw usage(
      `--scenario must be one of ${options.scenarios ?? configured}: ${all.map(each => each.scenario_id).join(', ')}. ` +
        `Found: ${missing.join(', ')}.`,
    )
  // Asked for by name, a disabled one is tried.
  const scenarios = all
    .filter(({ scenario_id }) => options.scenario.includes(scenario_id))
    .map(scenario => ({ ...scenario, enabled: true }))
  return { scenarios, knownIds }
}

function newArchive(to: string, fromLogs: boolean, { archive }: Config): Promise<ReplayArchive> {
  return createReplayArchive({
    folder: resolve(to),
    tables: fromLogs ? ['event_log', 'scenario_log'] : ['scenario_log'],
    rollRows: archive.rollRows,
    rollBytes: archive.rollBytes,
    codec: archive.codec,
    log: pino({ level: 'silent' }),
  })
}

function jsonRow({ scenario, total, success, firstAt, lastAt }: ReplayedScenario): object {
  return {
    scenario_id: scenario.scenario_id,
    title: scenario.title,
    judging_version: scenario.judging_version,
    total_count: total,
    success_count: success,
    success_ratio: total === 0 ? 0 : Math.round((success / total) * 10_000) / 10_000,
    first_event_at: firstAt === undefined ? null : isoTime(firstAt),
    last_event_at: lastAt === undefined ? null : isoTime(lastAt),
  }
}

function tableOf(rows: readonly ReplayedScenario[]): string {
  if (rows.length === 0) return 'There are no scenarios to judge by: see docs/guide/scenarios.md.'
  const grid = new Table({
    head: ['scenario', 'title', 'ratio', 'total', 'success', 'first event', 'last event'],
    colAligns: ['right', 'left', 'right', 'right', 'right', 'left', 'left'],
    style: { head: [], border: [] },
  })
  for (const { scenario, total, success, firstAt, lastAt } of rows)
    grid.push([
      scenario.scenario_id,
      scenario.title.replace(/\p{Cc}/gu, '�') + (scenario.enabled ? '' : ' (disabled)'),
      total === 0 ? '–' : `${((success / total) * 100).toFixed(2)} %`,
      total,
      success,
      firstAt === undefined ? '–' : isoTime(firstAt),
      lastAt === undefined ? '–' : isoTime(lastAt),
    ])
  return grid.toString()
}

const MEANING: Readonly<Record<string, string>> = {
  judged: 'judged',
  not_concerned: 'of no scenario here',
  outside: 'outside the range',
  duplicate: 'repeats',
  not_a_beacon: 'no beacons',
  not_get: 'other methods than GET',
  no_success: 'not answered with 2xx or 304',
  asset: 'assets',
  download: 'downloads',
  bot: 'of bots',
}

function sentences(
  result: ReplayResult,
  seconds: number,
  files: number,
  ranged: boolean,
  folder: DataFolder,
): string[] {
  const { events, results } = result
  const from = files === 0 ? folder.archive : `${files} log file${files === 1 ? '' : 's'}`
  const parts = [...results].map(([name, n]) => `${n} ${MEANING[name] ?? name}`)
  const rate = Math.round(events / Math.max(seconds, 0.001))
  const said = [
    `${events} events of ${from} in ${seconds.toFixed(1)} s (${rate} a second)` +
      `${parts.length === 0 ? '' : `: ${parts.join(', ')}`}.`,
  ]
  if (events === 0 && files === 0)
    said.push(
      `The archive has no events${ranged ? ' of this range or site' : ''} (yet): a running server closes its files after a ` +
        'while, see archive.roll*.',
    )
  return said
}

function isoTime(unixMs: number): string {
  const date = new Date(unixMs)
  return Number.isNaN(date.getTime()) ? String(unixMs) : date.toISOString()
}

function usage(message: string): CommanderError {
  return new CommanderError(1, 'replay', `error: ${message}`)
}
