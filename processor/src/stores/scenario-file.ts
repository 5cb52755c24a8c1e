import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { parseScenario, type Scenario } from '@headwater/core'
import { ProcessorError } from '../errors.ts'
import type { ScenarioFault } from '../ports.ts'
import { syncFolder } from '../state-file.ts'
import { type FileIdentity, fileIdentity } from './file-identity.ts'
import { lineAndColumnIn, outlineScenarioFile, type ScenarioFileOutline, type Span } from './scenario-file-outline.ts'
import type { ScenarioEntry } from './scenario-versions.ts'

/** A hundred thousand scenarios fit; what is longer is not a scenario file. */
const MAX_BYTES = 16 * 1024 * 1024

/** A scenario file as it was read: its elements, or the one fault for which it has none. */
export interface ScenarioFile {
  /** What `stat` said before it was read; `UNREADABLE` when it could not be read. */
  identity: FileIdentity | undefined
  text: string
  outline: ScenarioFileOutline | undefined
  entries: ScenarioEntry[]
  fault: ScenarioFault | undefined
}

/** Of a file that is there and cannot be read; equals no other, so the next look tries again: a `chmod` changes no time. */
export const UNREADABLE: FileIdentity = { key: 'unreadable', fresh: true }

/** Reads a scenario file. Never rejects for what is in it, nor when it may not be read: that is `fault`, or stands in the entry. */
export async function readScenarioFile(path: string): Promise<ScenarioFile> {
  const identity = await fileIdentity(path)
  const name = basename(path)
  const faulty = (where: string, message: string, text = ''): ScenarioFile => ({
    identity,
    text,
    outline: undefined,
    entries: [],
    fault: { where, message },
  })
  if (identity === undefined) return faulty(name, `The scenario file must be there. Found: no file ${path}.`)
  let text: string
  try {
    const { size } = await stat(path)
    if (size > MAX_BYTES) return faulty(name, `A scenario file has at most ${MAX_BYTES} bytes. Found: ${size}.`)
    text = await readFile(path, 'utf8')
  } catch (error) {
    const fault = `This user must be able to read the scenario file. Found: ${(error as Error).message}.`
    return { ...faulty(name, fault), identity: UNREADABLE }
  }
  const outline = outlineScenarioFile(text)
  const place = lineAndColumnIn(text)
  if ('message' in outline) return faulty(`${name}:${place(outline.at)}`, outline.message, text)
  const entries = outline.entries.map((span): ScenarioEntry => {
    const value: unknown = JSON.parse(text.slice(span.from, span.to))
    return { where: `${name}:${place(span.from)}`, scenarioId: idOf(value), parsed: parseScenario(value) }
  })
  return { identity, text, outline, entries, fault: undefined }
}

/** The text with `scenario` in place of the element that has its id, or behind the last one. */
export function putScenario(file: ScenarioFile, scenario: Scenario): string {
  const { text, outline, entries } = file
  if (outline === undefined) return `${render([scenario], '\n')}\n`
  const index = entries.findIndex(entry => entry.scenarioId === scenario.scenario_id)
  const lineEnd = text.includes('\r\n') ? '\r\n' : '\n'
  const span = outline.entries[index]
  if (span !== undefined) {
    return splice(text, span, render(scenario, lineEnd + indentAt(text, span.from)))
  }
  const last = outline.entries.at(-1)
  const outer = lineEnd + indentAt(text, outline.list.from)
  const inner = last === undefined ? `${outer}  ` : lineEnd + indentAt(text, last.from)
  const added = inner + render(scenario, inner)
  if (last === undefined) return splice(text, outline.list, `[${added}${outer}]`)
  // A file that is one scenario becomes a list of two.
  if (last === outline.list) return splice(text, last, `[${text.slice(last.from, last.to)},${added}${outer}]`)
  return splice(text, { from: last.to, to: last.to }, `,${added}`)
}

/** The text without the element that has this id, and without its comma. */
export function dropScenario(file: ScenarioFile, scenarioId: number): string {
  const { text, outline, entries } = file
  const index = entries.findIndex(entry => entry.scenarioId === scenarioId)
  const span = outline?.entries[index]
  if (outline === undefined || span === undefined) return text
  const before = outline.entries[index - 1]
  const after = outline.entries[index + 1]
  if (after !== undefined) return splice(text, { from: span.from, to: after.from }, '')
  if (before !== undefined) return splice(text, { from: before.to, to: span.to }, '')
  return splice(text, outline.list, '[]')
}

/**
 * Replaces the file atomically, keeping its mode and following symbolic links. Resolves with false, and changes nothing,
 * when the file is no longer the one that was read.
 */
export async function replaceScenarioFile(path: string, read: ScenarioFile, text: string): Promise<boolean> {
  const target = read.identity === undefined ? path : await realpath(path)
  const folder = dirname(target)
  const temporary = join(folder, `.${basename(target)}.${process.pid}.tmp`)
  const mode = read.identity === undefined ? 0o644 : (await stat(target)).mode & 0o777
  try {
    const handle = await open(temporary, 'w', mode)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    if ((await fileIdentity(path))?.key !== read.identity?.key) {
      await rm(temporary, { force: true })
      return false
    }
    await rename(temporary, target)
    await syncFolder(folder)
    return true
  } catch (cause) {
    await rm(temporary, { force: true })
    throw new ProcessorError('STORE_UNAVAILABLE', `${path} cannot be written. Found: ${String(cause)}.`, {
      retryable: true,
      cause,
    })
  }
}

function idOf(value: unknown): number | undefined {
  const id = (value as { scenario_id?: unknown } | null)?.scenario_id
  return Number.isSafeInteger(id) ? (id as number) : undefined
}

function splice(text: string, span: Span, put: string): string {
  return text.slice(0, span.from) + put + text.slice(span.to)
}

/** JSON on several lines; `lineStart` is the line end with the indentation of the first line. */
function render(value: unknown, lineStart: string): string {
  return JSON.stringify(value, null, 2).replaceAll('\n', lineStart)
}

/** The white space that the line of `at` begins with. */
function indentAt(text: string, at: number): string {
  const lineStart = Math.max(text.lastIndexOf('\n', at - 1), text.lastIndexOf('\r', at - 1)) + 1
  return /^[ \t]*/.exec(text.slice(lineStart, at))?.[0] ?? ''
}
