import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { loadUws } from '@headwater/gateway'
import { type Check, type Finding, fail, ok, warn } from './check.ts'

/** The oldest Node that the tests run on. */
const MIN_NODE = [20, 19] as const

/** What the process itself needs: these look at no configuration. */
export const nodeCheck: Check = {
  name: 'node',
  async run() {
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
    if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1]))
      return [ok(`Node.js ${process.versions.node}, ${process.platform} ${process.arch}.`)]
    return [
      fail(
        `Node.js must be ${MIN_NODE.join('.')} or newer. Found: ${process.versions.node}.`,
        'Install a newer one from your distribution or nodejs.org.',
      ),
    ]
  },
}

export const uwsCheck: Check = {
  name: 'front end',
  async run({ config }) {
    if (config.gateway.front === 'node') return [ok('node:http takes the beacons, as gateway.front says.')]
    const loaded = loadUws()
    if ('uws' in loaded) return [ok(`uWebSockets.js ${uwsVersion()} loads and takes the beacons.`)]
    const remedy = `Run npm ci on this machine with a Node.js that it supports. Found: ${loaded.missing}`
    return config.gateway.front === 'uws'
      ? [fail('gateway.front is uws, and uWebSockets.js does not load here.', remedy)]
      : [warn('uWebSockets.js does not load here: node:http takes the beacons, more slowly.', remedy)]
  },
}

/** The package does not export its package.json, so it is read beside the file that is loaded. */
function uwsVersion(): string {
  try {
    const gateway = createRequire(import.meta.resolve('@headwater/gateway'))
    return JSON.parse(readFileSync(join(dirname(gateway.resolve('uWebSockets.js')), 'package.json'), 'utf8')).version
  } catch {
    return '(version unknown)'
  }
}

/** A clock that was never set stands at a date of the past: a Raspberry Pi without network, a machine after its battery. */
const EARLIEST = Date.parse('2025-01-01T00:00:00Z')
const MAX_AHEAD_MS = 60_000

/** Event times come from this machine's clock; nothing here can ask another one, but files tell of a clock that went back. */
export const clockCheck: Check = {
  name: 'clock',
  async run({ folder }): Promise<Finding[]> {
    const now = Date.now()
    const remedy =
      'Set the clock (timedatectl, chrony): events get their times from it. Then wait until it is past the newest file.'
    const text = new Date(now).toISOString()
    if (now < EARLIEST) return [fail(`The clock must be set. Found: ${text}.`, remedy)]
    const newest = newestOf([folder.accessLog, join(folder.state, 'stats.json'), ...filesOf(folder.segments)])
    if (newest !== undefined && newest.at > now + MAX_AHEAD_MS)
      return [
        fail(
          `The clock went back: it is ${text}, and ${newest.path} is of ${new Date(newest.at).toISOString()}.`,
          remedy,
        ),
      ]
    return [ok(`${text}, behind no file of the data folder.`)]
  },
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder).map(name => join(folder, name))
  } catch {
    return []
  }
}

function newestOf(paths: readonly string[]): { path: string; at: number } | undefined {
  let newest: { path: string; at: number } | undefined
  for (const path of paths) {
    const at = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (at !== undefined && at > (newest?.at ?? Number.NEGATIVE_INFINITY)) newest = { path, at }
  }
  return newest
}
