import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setImmediate } from 'node:timers/promises'
import { readMembers } from '@headwater/processor'
import { CommanderError } from 'commander'
import type { Config } from '../config.ts'
import { type DataFolder, dataFolder } from '../data-folder.ts'
import { writeDemoLog } from '../demo/demo-log.ts'
import { sendDemoEvents } from '../demo/send-demo-events.ts'
import { exampleFile } from '../example-files.ts'
import { folderHolder } from '../folder-lock.ts'
import type { LoadedConfig } from '../load-config.ts'
import { localUrl } from '../local-url.ts'
import { progressLine } from '../progress-line.ts'

export interface DemoCommandOptions {
  /** Events a second. */
  rate: number
  /** ms */
  duration: number
  seed?: number
  url?: string
  site: number
  scenario: number
  lines?: number
  out?: string
  /** Unix ms. */
  start?: number
  /** ms */
  span: number
}

/** A member file may hold a million; visitors need not be so many. */
const MAX_MEMBERS = 10_000

/** `headwater demo`: simulated visitors for a running gateway, or for a log file. */
export async function demo({ config }: LoadedConfig, options: DemoCommandOptions): Promise<void> {
  if ((options.lines === undefined) !== (options.out === undefined))
    throw usage('a log file wants both: --lines 100000 --out demo.log (or - for standard output).')
  if (options.lines === undefined && options.start !== undefined)
    throw usage('--start is about --lines: visitors of a running gateway come now.')
  const seed = options.seed ?? randomInt(2 ** 31)
  const common = {
    seed,
    siteId: options.site,
    scenarioId: options.scenario,
    sdkVersion: sdkVersion(),
    members: await memberIds(config),
  }
  if (options.lines !== undefined) await writeLog(options.lines, options.out as string, options, common)
  else await send(config, options, common)
}

type Common = Parameters<typeof writeDemoLog>[1] extends infer T
  ? Omit<T & object, 'lines' | 'startMs' | 'spanMs'>
  : never

async function writeLog(lines: number, out: string, options: DemoCommandOptions, common: Common): Promise<void> {
  const startMs = options.start ?? Date.now() - options.span
  const progress = progressLine(process.stderr, 'lines')
  try {
    for (const written of writeDemoLog(out, { ...common, lines, startMs, spanMs: options.span })) {
      progress.show(written, written / lines)
      await setImmediate() // so that Ctrl-C is heard
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EEXIST')
      throw usage(`--out must be a new file: an existing log is never written over. Found: ${out} is there.`)
    if (code === 'EPIPE') return // `| head` has enough
    if (code !== undefined) throw usage(`--out must be a file that can be written. Found: ${message}.`)
    throw error
  } finally {
    progress.end()
  }
  console.error(
    `${lines} lines from ${isoTime(startMs)} to ${isoTime(startMs + options.span)}, seed ${common.seed}` +
      `${out === '-' ? '' : `: ${out}`}.`,
  )
}

async function send(config: Config, options: DemoCommandOptions, common: Common): Promise<void> {
  const url = options.url === undefined ? runningGateway(config) : checkedUrl(options.url)
  console.log(
    `${options.rate} events a second to ${url} for ${options.duration / 1000} s, seed ${common.seed}. Ctrl-C ends it.`,
  )
  const stop = new AbortController()
  const abort = (): void => stop.abort()
  process.once('SIGINT', abort).once('SIGTERM', abort)
  const progress = progressLine(process.stderr, 'events')
  try {
    const done = await sendDemoEvents({
      ...common,
      url,
      rate: options.rate,
      durationMs: options.duration,
      signal: stop.signal,
      onProgress: ({ acknowledged, share }) => progress.show(acknowledged, share),
    })
    progress.end()
    console.log(
      `${done.acknowledged} events of ${done.sessions} sessions of ${done.visitors} visitors acknowledged, ` +
        `${done.retries} attempts repeated, ${done.failed} events failed.`,
    )
    if (done.failed > 0) {
      console.error(
        `! The last failure was: ${done.lastFailure}. Look whether a gateway listens at ${url}, and into its log.`,
      )
      if (done.acknowledged === 0) process.exitCode = 1
    }
  } finally {
    progress.end()
    process.off('SIGINT', abort).off('SIGTERM', abort)
  }
}

/** Where the server of this data folder takes beacons. */
function runningGateway(config: Config): string {
  const folder: DataFolder = dataFolder(config.dataDir)
  const holder = folderHolder(folder.state)
  let port = 0
  try {
    port = (JSON.parse(readFileSync(folder.ports, 'utf8')) as { gateway: number }).gateway
  } catch {}
  if (holder === undefined || port === 0)
    throw usage(
      `no server works in ${folder.root}. Start one (headwater start) in another terminal, choose its folder with ` +
        '--data-dir, or name a gateway: --url http://host:8000.',
    )
  return localUrl(config.gateway.host, port)
}

function checkedUrl(text: string): string {
  try {
    const url = new URL(text)
    if (url.protocol === 'http:' || url.protocol === 'https:') return url.href.replace(/\/+$/, '')
  } catch {}
  throw usage(`--url must be the address of a gateway, such as http://127.0.0.1:8000. Found: ${text}.`)
}

async function memberIds(config: Config): Promise<string[]> {
  const { byId } = await readMembers(config.members.file ?? exampleFile('members.csv'))
  const ids: string[] = []
  for (const id of byId.keys()) {
    if (ids.length === MAX_MEMBERS) break
    ids.push(id)
  }
  return ids
}

/** What the SDK of this installation sends as `hw_v`. */
function sdkVersion(): string {
  const { version } = createRequire(import.meta.url)('@headwater/sdk/package.json') as { version: string }
  return version
}

function isoTime(unixMs: number): string {
  return new Date(unixMs).toISOString()
}

function usage(message: string): CommanderError {
  return new CommanderError(1, 'demo', `error: ${message}`)
}
