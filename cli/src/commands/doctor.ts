import { readFileSync } from 'node:fs'
import { type DataFolder, dataFolder } from '../data-folder.ts'
import { type Finding, fail, ok, type Patient, type Verdict } from '../doctor/check.ts'
import { checksFor } from '../doctor/checks.ts'
import { nodeCheck } from '../doctor/runtime-checks.ts'
import { folderHolder } from '../folder-lock.ts'
import { ConfigError, type LoadedConfig } from '../load-config.ts'

export interface DoctorOptions {
  json?: boolean
  /** Read the whole archive. */
  archive?: boolean
}

/** A finding and the check it is of. */
export interface Diagnosis extends Finding {
  check: string
}

/**
 * `headwater doctor`: looks at everything and changes nothing, whether the server runs or not. Exit status 1 when a check
 * fails.
 */
export async function doctor(load: () => LoadedConfig, options: DoctorOptions): Promise<void> {
  const found = await diagnose(load, options.archive === true)
  if (options.json === true) console.log(JSON.stringify(found, null, 2))
  else console.log(report(found))
  if (found.some(({ verdict }) => verdict === 'fail')) process.exitCode = 1
}

/** All findings, in the order of `checksFor`. A faulty configuration is a finding, too; what needs one is not looked at then. */
export async function diagnose(load: () => LoadedConfig, readArchive: boolean): Promise<Diagnosis[]> {
  let loaded: LoadedConfig
  try {
    loaded = load()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const faults = error.faults.map(fault =>
      fail(fault, 'Correct it, then look again: docs/reference/config.md has every setting.'),
    )
    // It looks at no configuration.
    return [
      ...(await nodeCheck.run({} as Patient)).map(finding => ({ check: 'node', ...finding })),
      ...faults.map(finding => ({ check: 'configuration', ...finding })),
    ]
  }
  const { config, origins } = loaded
  const folder = dataFolder(config.dataDir)
  const pid = folderHolder(folder.state)
  const patient: Patient = {
    config,
    folder,
    pid,
    ports: pid === undefined ? undefined : portsOf(folder),
    readArchive,
  }
  const found: Diagnosis[] = [
    { check: 'configuration', ...ok(`${origins.size} settings given, the others by default: data in ${folder.root}.`) },
  ]
  for (const { name, run } of await checksFor(config)) {
    const findings = await run(patient).catch((error: Error) => [
      // An error with a code is a sentence; anything else is a defect of ours, or of the disk.
      fail(error.message, 'code' in error ? 'Mend what the message names, then look again.' : 'Please report this.'),
    ])
    for (const finding of findings) found.push({ check: name, ...finding })
  }
  return found
}

function portsOf(folder: DataFolder): Patient['ports'] {
  try {
    const { gateway, metrics } = JSON.parse(readFileSync(folder.ports, 'utf8')) as Record<string, unknown>
    return typeof gateway === 'number' && typeof metrics === 'number' ? { gateway, metrics } : undefined
  } catch {
    return undefined
  }
}

const CHECK_WIDTH = 14

/** A line a finding, the remedy below it, and a sum. */
function report(found: readonly Diagnosis[]): string {
  const lines: string[] = []
  let last = ''
  for (const { check, verdict, message, remedy } of found) {
    lines.push(`${verdict.padEnd(5)} ${(check === last ? '' : check).padEnd(CHECK_WIDTH)} ${printable(message)}`)
    if (remedy !== undefined) lines.push(`${' '.repeat(CHECK_WIDTH + 7)}→ ${printable(remedy)}`)
    last = check
  }
  const count = (verdict: Verdict) => found.filter(finding => finding.verdict === verdict).length
  const sum = `${count('ok')} ok, ${count('warn')} to look at, ${count('fail')} failed.`
  return `${lines.join('\n')}\n\n${sum}`
}

/** File names and members' columns are anybody's text: no control characters on a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ')
}
