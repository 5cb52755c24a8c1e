import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { parseScenario, type Scenario } from '@headwater/core'
import type { Logger } from 'pino'
import { ProcessorError } from '../errors.ts'
import type { ScenarioFault, ScenarioStore } from '../ports.ts'
import { readStateFile, writeStateFile } from '../state-file.ts'
import { type FileIdentity, fileIdentity } from './file-identity.ts'
import {
  dropScenario,
  putScenario,
  readScenarioFile,
  replaceScenarioFile,
  type ScenarioFile,
  UNREADABLE,
} from './scenario-file.ts'
import { type KnownScenario, type KnownScenarios, reconcileScenarios, withVersions } from './scenario-versions.ts'
import { withFileLock } from './with-file-lock.ts'

export interface JsonScenarioStoreOptions {
  /** The users' file: a JSON list of scenarios, or `{"scenarios":[…]}`. Made by the first `save` when missing. */
  file: string
  /** `state/scenario-versions.json`. */
  stateFile: string
  /** How often `watch` looks at the files, ms. Default 500. */
  pollMs?: number
  /**
   * For those who only look: an edit gets the version that the next writer will give it, and nothing is noted in `stateFile`.
   * A look with another scenario file must not make new versions for the process that judges by the right one. Default false.
   */
  readOnly?: boolean
  log: Logger
}

/*
 * state/scenario-versions.json:
 *
 *   {"format":1,"scenarios":[{"presence":"present","scenario":{"scenario_id":5,…,"version":3,"judging_version":2}}]}
 *
 * Every id that was ever valid, with its last valid definition: so a fault keeps the version before in force over a
 * restart too, versions rise although nobody raises them in the file, and deleted ids stay known.
 */

interface Loaded {
  file: FileIdentity | undefined
  state: FileIdentity | undefined
  known: KnownScenarios
  scenarios: readonly Scenario[]
  faults: readonly ScenarioFault[]
  /** Equal for equal answers. */
  signature: string
}

/**
 * Scenarios in a file that people edit by hand.
 *
 * The file is only read, except by `save` and `remove`, which change one element and leave the rest as it was written.
 * `version` and `judging_version` are this store's: an edit that raises no version gets raised ones, kept in the state file.
 * A scenario that vanishes from the file (commented out, say) counts as removed; when its id comes back it goes on with its
 * next version. After `remove` it never comes back: such an entry is a fault.
 * Several processes may use the same files: what is written is written under `<stateFile>.lock`.
 */
export function jsonScenarioStore(options: JsonScenarioStoreOptions): ScenarioStore {
  const { file, stateFile, pollMs = 500, readOnly = false, log } = options
  let loaded: Loaded | undefined
  let loading: Promise<Loaded> | undefined

  function current(): Promise<Loaded> {
    loading ??= refresh().finally(() => {
      loading = undefined
    })
    return loading
  }

  async function refresh(): Promise<Loaded> {
    const [fileNow, stateNow] = [await fileIdentity(file), await fileIdentity(stateFile)]
    const unchanged = (now: FileIdentity | undefined, before: FileIdentity | undefined): boolean =>
      now?.key === before?.key && now?.fresh !== true
    if (loaded !== undefined && unchanged(fileNow, loaded.file) && unchanged(stateNow, loaded.state)) return loaded

    const before = await readKnown()
    const read = await readScenarioFile(file)
    if (readOnly || !needsWrite(before, read)) return accept(before, read, stateNow)
    return locked(async () => {
      const [known, again] = [await readKnown(), await readScenarioFile(file)]
      if (needsWrite(known, again)) await writeKnown(reconciled(known, again).known)
      return accept(await readKnown(), again, await fileIdentity(stateFile))
    })
  }

  async function readKnown(): Promise<KnownScenarios> {
    const state = await readStateFile(stateFile, {
      remedy: 'Restore it from a backup; without it the versions begin again at those of the scenario file.',
      parse: parseKnown,
    })
    return state ?? new Map()
  }

  async function writeKnown(known: KnownScenarios): Promise<void> {
    await writeStateFile(stateFile, { scenarios: [...known.values()] })
  }

  async function locked<T>(work: () => Promise<T>): Promise<T> {
    await mkdir(dirname(stateFile), { recursive: true })
    return withFileLock(`${stateFile}.lock`, work)
  }

  function accept(before: KnownScenarios, read: ScenarioFile, state: FileIdentity | undefined): Loaded {
    const { known, faults } = reconciled(before, read)
    const scenarios = [...known.values()]
      .filter(({ presence }) => presence === 'present')
      .map(({ scenario }) => scenario)
      .sort((a, b) => a.scenario_id - b.scenario_id)
    const unread = read.identity === undefined || read.identity === UNREADABLE
    if (scenarios.length === 0 && unread && known.size === 0) {
      throw new ProcessorError('STORE_UNAVAILABLE', faults[0]?.message ?? `No file ${file}.`, { retryable: true })
    }
    tell(faults)
    const signature = JSON.stringify([[...known.values()], faults])
    loaded = { file: read.identity, state, known, scenarios, faults, signature }
    return loaded
  }

  /** Logs the faults that are new, and that there are none any more. */
  function tell(faults: readonly ScenarioFault[]): void {
    const told = new Set((loaded?.faults ?? []).map(({ where, message }) => `${where} ${message}`))
    for (const { where, message } of faults) {
      if (!told.has(`${where} ${message}`)) {
        log.warn({ file, where, fault: message }, 'A scenario has a fault: its last valid version stays in force')
      }
    }
    if (faults.length === 0 && told.size > 0) log.info({ file }, 'The scenarios have no fault any more')
  }

  /** Changes file and state under the lock. `change` gives the file's new text and what is known afterwards. */
  async function change<T>(
    work: (known: KnownScenarios, read: ScenarioFile) => { text: string; known: KnownScenarios; result: T },
  ): Promise<T> {
    return locked(async () => {
      for (;;) {
        const read = await readScenarioFile(file)
        if (read.identity !== undefined && read.outline === undefined) {
          throw new ProcessorError(
            'SCENARIO_INVALID',
            `The scenario file must be repaired before a scenario can be changed: ${read.fault?.where}: ${read.fault?.message}`,
          )
        }
        const before = reconciled(await readKnown(), read).known
        const { text, known, result } = work(before, read)
        // File first: were the process killed now, the next one would see a hand edit and give it the same versions.
        if (text !== read.text && !(await replaceScenarioFile(file, read, text))) continue
        await writeKnown(known)
        // Whoever asks now sees the change, not the answer to a question that was asked before.
        if (loaded !== undefined) loaded = { ...loaded, file: undefined, state: undefined }
        loading = undefined
        return result
      }
    })
  }

  return {
    async list(): Promise<readonly Scenario[]> {
      return (await current()).scenarios
    },

    async get(scenarioId: number): Promise<Scenario | undefined> {
      return (await current()).scenarios.find(scenario => scenario.scenario_id === scenarioId)
    },

    save(scenario: Scenario): Promise<Scenario> {
      const parsed = parseScenario(scenario)
      if (!parsed.ok) {
        return Promise.reject(new ProcessorError('SCENARIO_INVALID', parsed.faults.join(' ')))
      }
      const id = parsed.scenario.scenario_id
      return change((known, read) => {
        const before = known.get(id)
        const stands = read.entries.filter(entry => entry.scenarioId === id)
        if (stands.length > 1) {
          throw new ProcessorError(
            'SCENARIO_INVALID',
            `scenario_id must stand once in the file. Found: ${id} at ${stands.map(({ where }) => where).join(' and ')}.`,
          )
        }
        if (before !== undefined && before.presence !== 'present') {
          throw new ProcessorError(
            'SCENARIO_ID_USED',
            `scenario_id must be new: an id is never used again. Found: ${id}.`,
          )
        }
        const version = before?.scenario.version ?? 0
        if (scenario.version !== version) {
          throw new ProcessorError(
            'VERSION_OUTDATED',
            `version must be ${version}, that of the scenario as stored (0: none). Found: ${scenario.version}.`,
          )
        }
        const raised = { ...parsed.scenario, version: version + 1, judging_version: 1 }
        const stored = withVersions(before?.scenario, raised)
        const next = new Map(known).set(id, { scenario: stored, presence: 'present' as const })
        return { text: putScenario(read, stored), known: next, result: stored }
      })
    },

    remove(scenarioId: number): Promise<void> {
      return change((known, read) => {
        const before = known.get(scenarioId)
        const next = new Map(known)
        if (before !== undefined) next.set(scenarioId, { scenario: before.scenario, presence: 'removed' })
        return { text: dropScenario(read, scenarioId), known: next, result: undefined }
      })
    },

    faults: () => loaded?.faults ?? [],

    async removedIds(): Promise<ReadonlySet<number>> {
      const { known } = await current()
      return new Set([...known].filter(([, { presence }]) => presence !== 'present').map(([id]) => id))
    },

    watch(changed: () => void, stop: AbortSignal): void {
      let seen = loaded?.signature
      let failed = false
      const poll = async (): Promise<void> => {
        if (stop.aborted) return
        try {
          const { signature } = await current()
          failed = false
          if (signature !== seen && !stop.aborted) changed()
          seen = signature
        } catch (error) {
          if (!failed) log.warn({ file, err: error }, 'The scenario file cannot be looked at')
          failed = true
        }
        if (!stop.aborted) timer = setTimeout(poll, pollMs).unref()
      }
      let timer = setTimeout(poll, pollMs).unref()
      stop.addEventListener('abort', () => clearTimeout(timer), { once: true })
    },
  }
}

/** What the file makes of what is known. A file that cannot be read as a whole changes nothing. */
function reconciled(known: KnownScenarios, read: ScenarioFile): ReturnType<typeof reconcileScenarios> {
  if (read.outline === undefined) return { known: new Map(known), faults: read.fault ? [read.fault] : [] }
  return reconcileScenarios(known, read.entries)
}

function needsWrite(known: KnownScenarios, read: ScenarioFile): boolean {
  return JSON.stringify([...reconciled(known, read).known.values()]) !== JSON.stringify([...known.values()])
}

function parseKnown(fields: Record<string, unknown>): Map<number, KnownScenario> {
  if (!Array.isArray(fields.scenarios)) throw new Error('no list "scenarios"')
  return new Map(
    fields.scenarios.map((value: unknown, i): [number, KnownScenario] => {
      const { presence, scenario } = (value ?? {}) as Partial<KnownScenario>
      if (presence !== 'present' && presence !== 'absent' && presence !== 'removed') {
        throw new Error(`scenarios[${i}].presence ${JSON.stringify(presence)}`)
      }
      const numbers = [scenario?.scenario_id, scenario?.version, scenario?.judging_version]
      if (scenario === undefined || !numbers.every(Number.isSafeInteger)) {
        throw new Error(`scenarios[${i}].scenario ${JSON.stringify(scenario)}`)
      }
      // A later Headwater may be stricter: then the numbers count on, but the definition is not in force.
      const parsed = parseScenario(scenario)
      const id = scenario.scenario_id
      if (!parsed.ok) return [id, { scenario, presence: presence === 'present' ? 'absent' : presence }]
      return [id, { scenario: parsed.scenario, presence }]
    }),
  )
}
