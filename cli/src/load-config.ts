import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import leven from 'leven'
import { LineCounter, parseDocument } from 'yaml'
import { type Config, configSchema, type Setting, settings } from './config.ts'

/** All faults of a configuration together, one sentence each with the value found. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID'
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(faults.map(fault => `CONFIG_INVALID: ${fault}`).join('\n'))
    this.name = 'ConfigError'
    this.faults = faults
  }
}

export interface ConfigSources {
  /** The YAML file; when not given, `headwater.yaml` in `cwd` if there is one. */
  file?: string | undefined
  env: Readonly<Record<string, string | undefined>>
  /** Settings by path, as flags give them: `{ 'gateway.port': '9000' }`. */
  flags?: Readonly<Record<string, string | undefined>>
  cwd: string
}

export interface LoadedConfig {
  config: Config
  /** Where each setting that is not a default came from, by path: a file, a variable or a flag. */
  origins: ReadonlyMap<string, string>
}

const VARIABLES_WITHOUT_SETTING = new Set(['HEADWATER_CONFIG', 'HEADWATER_SERVICES', 'HEADWATER_CHROMIUM'])

/** Defaults < file < environment < flags. Throws `ConfigError` with every fault found. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const faults: string[] = []
  const origins = new Map<string, string>()
  const known = settings()
  const tree = readFile(sources, faults, origins)

  const byVariable = new Map(known.map(setting => [setting.variable, setting]))
  for (const [variable, value] of Object.entries(sources.env)) {
    if (!variable.startsWith('HEADWATER_') || value === undefined || VARIABLES_WITHOUT_SETTING.has(variable)) continue
    const setting = byVariable.get(variable)
    if (setting === undefined)
      faults.push(`environment variable ${variable} is not known.${nearest(variable, [...byVariable.keys()])}`)
    else set(setting, value, variable)
  }
  const byPath = new Map(known.map(setting => [setting.path, setting]))
  for (const [path, value] of Object.entries(sources.flags ?? {})) {
    if (value === undefined) continue
    const setting = byPath.get(path)
    if (setting === undefined) faults.push(`setting ${path} is not known.${nearest(path, [...byPath.keys()])}`)
    else set(setting, value, 'a flag')
  }

  const parsed = configSchema.safeParse(tree, { reportInput: true })
  if (!parsed.success)
    for (const issue of parsed.error.issues) {
      const path = issue.path.map(String).join('.')
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys) {
          const full = path === '' ? key : `${path}.${key}`
          faults.push(`setting ${full} is not known.${nearest(full, knownKeys(known))}${cameFrom(full)}`)
        }
      } else {
        const message =
          issue.code === 'invalid_type' && issue.expected === 'object' ? 'must be a section of settings' : issue.message
        faults.push(
          `${path === '' ? 'the configuration' : path} ${message}. Found: ${shownAt(path, issue.input)}.${cameFrom(path)}`,
        )
      }
    }
  if (!parsed.success || faults.length > 0) throw new ConfigError(faults)
  return { config: parsed.data, origins }

  function set(setting: Setting, value: string, origin: string): void {
    const parts = setting.path.split('.')
    const last = parts.pop() as string
    let node = tree
    for (const part of parts) {
      const child = node[part]
      if (typeof child === 'object' && child !== null) node = child as Record<string, unknown>
      else node = node[part] = {}
    }
    node[last] = fromText(setting, value)
    origins.set(setting.path, origin)
  }

  /** A value for a message; of a password, and of a section with one, only the kind. */
  function shownAt(path: string, value: unknown): string {
    const hidden = known.some(({ path: each, secret }) => secret && (each === path || each.startsWith(`${path}.`)))
    if (!hidden) return shown(value).replace(/\/\/[^@/]*@/, '//(hidden)@')
    if (typeof value !== 'object' || value === null) return `a value of type ${typeof value} (hidden)`
    return `${Object.keys(value).join(', ') || 'nothing'}`
  }

  function cameFrom(path: string): string {
    const origin = origins.get(path) ?? [...origins].find(([known]) => path.startsWith(`${known}.`))?.[1]
    return origin === undefined ? '' : ` (from ${origin})`
  }
}

function readFile(sources: ConfigSources, faults: string[], origins: Map<string, string>): Record<string, unknown> {
  const named = sources.file ?? sources.env.HEADWATER_CONFIG
  const file = resolve(sources.cwd, named ?? 'headwater.yaml')
  let content: string
  try {
    content = readFileSync(file, 'utf8')
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    if (named !== undefined || !missing)
      faults.push(`configuration file ${file} cannot be read: ${(error as Error).message}`)
    return {}
  }
  const lines = new LineCounter()
  const document = parseDocument(content, { lineCounter: lines })
  for (const error of document.errors) faults.push(`${file}: ${error.message}`)
  if (document.errors.length > 0) return {}
  const tree: unknown = document.toJS({ maxAliasCount: 20 })
  if (tree === null || tree === undefined) return {}
  if (typeof tree !== 'object' || Array.isArray(tree)) {
    faults.push(`${file} must hold settings (name: value). Found: ${shown(tree)}.`)
    return {}
  }
  note(tree as Record<string, unknown>, '')
  return tree as Record<string, unknown>

  function note(node: Record<string, unknown>, prefix: string): void {
    for (const [key, value] of Object.entries(node)) {
      const path = prefix + key
      if (typeof value === 'object' && value !== null && !Array.isArray(value))
        note(value as Record<string, unknown>, `${path}.`)
      else origins.set(path, file)
    }
  }
}

/** Text of a variable or flag as the value its setting holds. What does not fit stays text, for the schema to refuse. */
function fromText(setting: Setting, value: string): unknown {
  switch (setting.kind) {
    case 'integer':
      return /^-?\d{1,15}$/.test(value.trim()) ? Number(value) : value
    case 'list':
      return value
        .split(',')
        .map(part => part.trim())
        .filter(part => part !== '')
    case 'sites':
      try {
        return JSON.parse(value)
      } catch {
        return value
      }
    default:
      return value
  }
}

function knownKeys(known: readonly Setting[]): string[] {
  const keys = new Set<string>()
  for (const { path } of known) {
    const parts = path.split('.')
    for (let i = 1; i <= parts.length; i++) keys.add(parts.slice(0, i).join('.'))
  }
  return [...keys]
}

function nearest(name: string, known: readonly string[]): string {
  let best: string | undefined
  let distance = Math.max(3, Math.ceil(name.length / 3))
  for (const candidate of known) {
    const d = leven(name, candidate)
    if (d < distance) [best, distance] = [candidate, d]
  }
  return best === undefined ? '' : ` Did you mean ${best}?`
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing'
  return json.length > 80 ? `${json.slice(0, 77)}…` : json
}
