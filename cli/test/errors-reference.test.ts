import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const ROOT = new URL('../../', import.meta.url)
const page = readFileSync(new URL('docs/reference/errors.md', ROOT), 'utf8')
const source = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')

/** The members of `export type <name> = 'a' | 'b'`, whatever comments stand between them. */
function union(path: string, name: string): string[] {
  const text = source(path)
  const start = text.indexOf(`export type ${name} =`)
  expect(start, `${name} in ${path}`).toBeGreaterThan(-1)
  const members: string[] = []
  for (const line of text.slice(start).split('\n')) {
    const code = line.replace(/\/\*.*\*\/|\/\/.*/g, '')
    members.push(...[...code.matchAll(/'(\w+)'/g)].map(match => match[1] as string))
    if (line.trim() === '') break
  }
  return members
}

const SOURCES = ['core', 'gateway', 'processor', 'cli'].flatMap(workspace => {
  const folder = new URL(`${workspace}/src/`, ROOT)
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => readFileSync(new URL(name.replaceAll('\\', '/'), folder), 'utf8'))
})

const CODES = [
  ...union('gateway/src/gateway-error.ts', 'GatewayErrorCode'),
  ...union('processor/src/errors.ts', 'ProcessorErrorCode'),
  ...union('processor/src/archive-reader.ts', 'ArchiveQueryErrorCode'),
  // Classes with one code.
  ...SOURCES.flatMap(text => [...text.matchAll(/readonly code = '(\w+)'/g)].map(match => match[1] as string)),
]

/** First cells in backquotes, and the rest of each row. */
function rows(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [first = '', ...rest] = line.split('|').slice(1, -1)
    const name = /^ `(\w+)` $/.exec(first)?.[1]
    if (name !== undefined)
      found.set(
        name,
        rest.map(cell => cell.trim()),
      )
  }
  return found
}

const inputs = page.indexOf('## What becomes of an input')
const codeRows = rows(page.slice(0, inputs))
const resultRows = rows(page.slice(inputs))

/** The arguments of every call `Error('<code>', …)`, or `make('<code>', …)` of a function that makes one, as text. */
function constructions(code: string): string[] {
  const calls: string[] = []
  for (const text of SOURCES)
    for (const match of text.matchAll(new RegExp(`(?:Error|make)\\(\\s*'${code}'`, 'g'))) {
      let depth = 0
      let end = text.indexOf('(', match.index)
      do {
        if (text[end] === '(') depth++
        else if (text[end] === ')') depth--
        end++
      } while (depth > 0 && end < text.length)
      calls.push(text.slice(match.index, end))
    }
  return calls
}

describe('docs/reference/errors.md', () => {
  it('has every error code, and no other', () => {
    expect([...codeRows.keys()].sort()).toEqual([...CODES].sort())
  })

  it('says for every code whether it passes by itself, as the sources do', () => {
    for (const [code, [passes]] of codeRows) {
      const retryable = constructions(code).some(call => call.includes('retryable: true'))
      expect([code, passes]).toEqual([code, retryable ? 'yes' : 'no'])
    }
  })

  it('says for every code what it means and what to do', () => {
    for (const [code, cells] of codeRows)
      expect(
        cells.map(cell => cell.length > 1),
        code,
      ).toEqual([true, true, true])
  })

  it('has every result of headwater_filter_events_total, and no other', () => {
    const counted = [...source('processor/src/stages/filter-stage.ts').matchAll(/count\(.*'(\w+)'\)/g)]
    const results = new Set([
      ...counted.map(match => match[1] as string),
      ...union('core/src/scenario-set.ts', 'NoScenario'),
      ...union('core/src/event.ts', 'RejectionReason'),
    ])
    expect(results).toContain('judged')
    expect([...resultRows.keys()].sort()).toEqual([...results].sort())
  })

  it('names the results that become dead letters: every rejection but not_a_beacon', () => {
    const letters = [...resultRows].filter(([, [fate = '']]) => fate.startsWith('dead letter')).map(([name]) => name)
    const reasons = union('core/src/event.ts', 'RejectionReason').filter(reason => reason !== 'not_a_beacon')
    expect(letters.sort()).toEqual(reasons.sort())
  })
})
