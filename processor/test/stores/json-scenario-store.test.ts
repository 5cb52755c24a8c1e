import { mkdir, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { jsonScenarioStore } from '../../src/stores/json-scenario-store.ts'
import { newScenario, testScenarioStore } from '../contracts/scenario-store.ts'

const log = pino({ level: 'silent' })
const EXAMPLES = new URL('../../../examples/data/scenarios.json', import.meta.url)

async function make(text?: string) {
  const folder = await mkdtemp(join(tmpdir(), 'hw-scenarios-'))
  const file = join(folder, 'scenarios.json')
  const stateFile = join(folder, 'state', 'scenario-versions.json')
  if (text !== undefined) await writeFile(file, text)
  const reopen = () => jsonScenarioStore({ file, stateFile, pollMs: 20, log })
  return { file, stateFile, store: reopen(), reopen, edit: (next: string) => writeFile(file, next) }
}

const five = (more: object = {}) => ({
  scenario_id: 5,
  title: 'five',
  log_format: { memberId: 1 },
  filters: [{ left: 'age', operator: '>', right: '20' }],
  logical_operator: 'AND',
  ...more,
})
const six = (more: object = {}) => five({ scenario_id: 6, title: 'six', ...more })
const versions = async (store: ReturnType<typeof jsonScenarioStore>) =>
  (await store.list()).map(({ scenario_id, version, judging_version }) => [scenario_id, version, judging_version])

testScenarioStore('jsonScenarioStore', { make: () => make('[]') })
testScenarioStore('jsonScenarioStore without a file', {
  make: async () => {
    const { store, reopen } = await make()
    return { store, reopen }
  },
})

describe('jsonScenarioStore', () => {
  it('reads the examples, among them the scenario of the seeds as it stands there', async () => {
    const { store } = await make(await readFile(EXAMPLES, 'utf8'))
    expect(store.faults()).toEqual([])
    const [first, fifth] = await store.list()
    expect(first).toMatchObject({ scenario_id: 1, site_id: 1, filters: [], log_format: { '*': 1 } })
    expect(fifth).toMatchObject({
      scenario_id: 5,
      manager: 'admin_user',
      log_format: { e_c: 0, e_a: 0, memberId: 1, h: 1, res: 0 },
      enabled: true,
      version: 1,
    })
  })

  it('reads an object with a list as well as a list, with and without a byte order mark', async () => {
    for (const text of [
      JSON.stringify([five()]),
      JSON.stringify({ note: ['kept'], scenarios: [five()] }),
      `\ufeff${JSON.stringify([five()])}`,
    ]) {
      const { store } = await make(text)
      expect(await versions(store)).toEqual([[5, 1, 1]])
      expect(store.faults()).toEqual([])
    }
  })

  it.each([
    ['[\n  {"scenario_id": 5,}\n]', 'scenarios.json:2:21', 'No comma may stand before a }'],
    [
      '[\n  {"scenario_id": 5}\n  {"scenario_id": 6}\n]',
      'scenarios.json:3:3',
      'A comma or ] must stand here. Found: "{"',
    ],
    ['[]\nand more', 'scenarios.json:2:1', 'Nothing may follow the end. Found: "and"'],
    ["[{'scenario_id': 5}]", 'scenarios.json:1:3', 'A name in double quotes must stand here'],
    ['[// five\n]', 'scenarios.json:1:2', 'JSON has no comments'],
    ['[{"title": "a\nb"}]', 'scenarios.json:1:14', 'must not hold line ends'],
    ['[{"title": "a\\x"}]', 'scenarios.json:1:14', 'must begin an escape'],
    ['[{"title": "never closed', 'scenarios.json:1:12', 'must end with a double quote'],
    ['', 'scenarios.json:1:1', 'Found: the end of the file'],
    ['{"scenario": []}', 'scenarios.json:1:1', 'or have a list "scenarios". Found: neither'],
    ['{"scenarios": {}}', 'scenarios.json:1:15', '"scenarios" must be a list'],
    ['[01]', 'scenarios.json:1:2', 'A value must stand here'],
    ['['.repeat(100_000), 'scenarios.json:1:', 'nested'],
  ])('says where %j has its fault, and keeps the versions before in force', async (text, where, message) => {
    const { store, edit } = await make(JSON.stringify([five()]))
    await store.list()
    await edit(text)
    expect(await versions(store)).toEqual([[5, 1, 1]])
    expect(store.faults()).toHaveLength(1)
    expect(store.faults()[0]?.where).toContain(where)
    expect(store.faults()[0]?.message).toContain(message)
  })

  it('keeps the last valid version of the one scenario that is invalid, also after a restart', async () => {
    const { store, edit, reopen } = await make(JSON.stringify([five(), six()]))
    await store.list()
    await edit(
      JSON.stringify([five({ filters: [{ left: 'age', operator: '=>', right: '1' }] }), six({ title: 'new' })]),
    )
    for (const each of [store, reopen()]) {
      expect((await each.list()).map(({ title, version }) => [title, version])).toEqual([
        ['five', 1],
        ['new', 2],
      ])
      expect(each.faults()).toHaveLength(1)
      expect(each.faults()[0]?.where).toBe('scenario 5 (scenarios.json:1:2)')
      expect(each.faults()[0]?.message).toMatch(/filters\[0\]\.operator.*=>/)
    }
    await edit(JSON.stringify([five(), six({ title: 'new' })]))
    await store.list()
    expect(store.faults()).toEqual([])
  })

  it('never shows a scenario that was never valid', async () => {
    const { store } = await make(JSON.stringify([five({ title: 5 }), six()]))
    expect(await versions(store)).toEqual([[6, 1, 1]])
    expect(store.faults()[0]?.where).toContain('scenario 5')
  })

  it('takes neither of two scenarios with the same id', async () => {
    const { store, edit } = await make(JSON.stringify([five()]))
    await store.list()
    await edit(JSON.stringify([five({ title: 'one' }), six(), five({ title: 'other' })]))
    expect((await store.list()).map(({ title }) => title)).toEqual(['five', 'six'])
    expect(store.faults()[0]?.message).toMatch(
      /must stand once. Found: 5 at scenarios.json:1:2 and scenarios.json:1:\d+/,
    )
  })

  it('takes nothing away while some id cannot be read: it may be that one', async () => {
    const { store, edit } = await make(JSON.stringify([five(), six()]))
    await store.list()
    await edit(JSON.stringify([five({ scenario_id: 'five' }), six()]))
    expect(await versions(store)).toEqual([
      [5, 1, 1],
      [6, 1, 1],
    ])
    expect(store.faults()[0]?.where).toBe('scenarios.json:1:2')
  })

  it('raises the versions of a hand edit, judging_version only when it judges otherwise, and keeps them over a restart', async () => {
    const { store, edit, reopen } = await make(JSON.stringify([five()]))
    expect(await versions(store)).toEqual([[5, 1, 1]])
    await edit(JSON.stringify([five({ title: 'renamed' })]))
    expect(await versions(store)).toEqual([[5, 2, 1]])
    await edit(JSON.stringify([five({ title: 'renamed', filters: [] })], null, 2))
    expect(await versions(store)).toEqual([[5, 3, 2]])
    await edit(JSON.stringify([five({ title: 'renamed', filters: [] })]))
    expect(await versions(store)).toEqual([[5, 3, 2]])
    expect(await versions(reopen())).toEqual([[5, 3, 2]])
    await edit(JSON.stringify([five({ filters: [], version: 10 })]))
    expect(await versions(reopen())).toEqual([[5, 10, 2]])
  })

  it('raises the versions of an edit that was made while nobody ran', async () => {
    const { store, edit, reopen } = await make(JSON.stringify([five()]))
    await store.list()
    await edit(JSON.stringify([five({ logical_operator: 'OR' })]))
    expect(await versions(reopen())).toEqual([[5, 2, 2]])
  })

  it('notes nothing for those who only look, who see what the next writer will give', async () => {
    const { file, stateFile, store, edit, reopen } = await make(JSON.stringify([five()]))
    const look = () => versions(jsonScenarioStore({ file, stateFile, readOnly: true, log }))
    expect(await look()).toEqual([[5, 1, 1]])
    await expect(stat(stateFile)).rejects.toThrow('ENOENT')
    await store.list()
    const noted = await readFile(stateFile, 'utf8')
    await edit(JSON.stringify([five({ logical_operator: 'OR' })]))
    expect(await look()).toEqual([[5, 2, 2]])
    expect(await readFile(stateFile, 'utf8')).toBe(noted)
    await edit(JSON.stringify([five()])) // as the configuration of the one who looked may have named another file
    expect(await versions(reopen())).toEqual([[5, 1, 1]])
  })

  it('takes a scenario that is gone from the file as removed, and goes on with its versions when it comes back', async () => {
    const { store, edit, reopen } = await make(JSON.stringify([five(), six()]))
    await store.list()
    await edit(JSON.stringify([six()]))
    expect(await versions(store)).toEqual([[6, 1, 1]])
    expect(await reopen().removedIds()).toEqual(new Set([5]))
    await edit(JSON.stringify([five({ filters: [] }), six()]))
    expect(await versions(store)).toEqual([
      [5, 2, 2],
      [6, 1, 1],
    ])
    expect(await store.removedIds()).toEqual(new Set())
  })

  it('finds a fault in an id that comes back after remove', async () => {
    const { store, edit } = await make(JSON.stringify([five(), six()]))
    await store.remove(5)
    await edit(JSON.stringify([five(), six()]))
    expect(await versions(store)).toEqual([[6, 1, 1]])
    expect(store.faults()[0]?.message).toContain('never used again')
  })

  it('keeps what is in force when the file vanishes, and says so', async () => {
    const { store, file, reopen } = await make(JSON.stringify([five()]))
    await store.list()
    await rm(file)
    for (const each of [store, reopen()]) {
      expect(await versions(each)).toEqual([[5, 1, 1]])
      expect(each.faults()[0]?.message).toContain('must be there')
    }
  })

  // A folder, as root may read every file.
  it('keeps what is in force while the file cannot be read, also over a restart, and says so', async () => {
    const { store, file, edit, reopen } = await make(JSON.stringify([five()]))
    await store.list()
    await rm(file)
    await mkdir(file)
    for (const each of [store, reopen()]) {
      expect(await versions(each)).toEqual([[5, 1, 1]])
      expect(each.faults()[0]?.message).toMatch(/must be able to read .* Found: EISDIR/)
      await expect(each.save(newScenario(7))).rejects.toMatchObject({ code: 'SCENARIO_INVALID' })
    }
    await rm(file, { recursive: true })
    await edit(JSON.stringify([five({ logical_operator: 'OR' })]))
    expect(await versions(store)).toEqual([[5, 2, 2]])
    expect(store.faults()).toEqual([])
  })

  it('waits for a file that could never be read', async () => {
    const { store, file } = await make()
    await mkdir(file)
    await expect(store.list()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
  })

  it('waits for a file that was never there', async () => {
    const { store, edit } = await make()
    await expect(store.list()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
    await edit(JSON.stringify([five()]))
    expect(await versions(store)).toEqual([[5, 1, 1]])
  })

  it('saves one scenario and leaves the others as they were written', async () => {
    const text = [
      '{ "scenarios": [',
      `    ${JSON.stringify(five())},`,
      '    { "scenario_id": 6, "title": "six",',
      '          "filters": [] }   ',
      '] }',
      '',
    ].join('\r\n')
    const { store, file } = await make(text)
    const stored = await store.save({ ...newScenario(5, { title: 'new title' }), version: 1 })
    expect(stored).toMatchObject({ version: 2, judging_version: 1 })
    const after = await readFile(file, 'utf8')
    expect(after.endsWith(text.slice(text.indexOf('},\r\n') + 1))).toBe(true)
    expect(after).toContain('    {\r\n      "scenario_id": 5,\r\n      "title": "new title",')
    await store.save(newScenario(9))
    expect((await readFile(file, 'utf8')).slice(0, 200)).toBe(after.slice(0, 200))
    expect((await store.list()).map(scenario => scenario.scenario_id)).toEqual([5, 6, 9])
    for (const id of [6, 9, 5]) await store.remove(id)
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ scenarios: [] })
    expect(store.faults()).toEqual([])
  })

  it('takes a file that is one scenario, as the seeds print it, and makes a list of it for a second one', async () => {
    const text = JSON.stringify(five(), null, 2)
    const { store, file } = await make(text)
    expect((await store.list()).map(scenario => scenario.scenario_id)).toEqual([5])
    await store.save(newScenario(9))
    const after = await readFile(file, 'utf8')
    expect(after).toContain(text)
    expect((JSON.parse(after) as { scenario_id: number }[]).map(scenario => scenario.scenario_id)).toEqual([5, 9])
    expect((await store.list()).map(scenario => scenario.scenario_id)).toEqual([5, 9])
    expect(store.faults()).toEqual([])
  })

  it('changes and removes the only scenario of a file that is no list', async () => {
    const { store, file } = await make(JSON.stringify(five()))
    await store.save({ ...newScenario(5, { title: 'new title' }), version: 1 })
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ scenario_id: 5, title: 'new title' })
    await store.remove(5)
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual([])
    expect(store.faults()).toEqual([])
  })

  it('repairs an invalid scenario by a save', async () => {
    const { store } = await make(JSON.stringify([five({ title: 5 }), six()]))
    await store.save(newScenario(5))
    expect(await versions(store)).toEqual([
      [5, 1, 1],
      [6, 1, 1],
    ])
    expect(store.faults()).toEqual([])
  })

  it('refuses to save into a file that it cannot read', async () => {
    const { store, edit, file } = await make(JSON.stringify([five()]))
    await store.list()
    await edit('[oops')
    await expect(store.save(newScenario(6))).rejects.toThrow(/SCENARIO_INVALID: .*scenarios.json:1:2/)
    expect(await readFile(file, 'utf8')).toBe('[oops')
  })

  it('writes through a symbolic link and keeps the mode', async () => {
    const { store, file } = await make(JSON.stringify([five()]))
    await rename(file, `${file}.real`)
    await symlink(`${file}.real`, file)
    const { mode } = await stat(file)
    await store.save(newScenario(6))
    expect(JSON.parse(await readFile(`${file}.real`, 'utf8'))).toHaveLength(2)
    expect((await stat(`${file}.real`)).mode).toBe(mode)
  })

  it('gives a save that was killed before its state was written the same versions at the next start', async () => {
    const { store, stateFile, reopen } = await make(JSON.stringify([five()]))
    const first = (await store.list())[0]
    const before = await readFile(stateFile, 'utf8')
    const stored = await store.save({ ...newScenario(5, { filters: [] }), version: first?.version ?? 0 })
    await writeFile(stateFile, before)
    expect(await reopen().get(5)).toEqual(stored)
  })

  it('calls back for every edit, however it is made', async () => {
    const { store, edit, file } = await make(JSON.stringify([five()]))
    await store.list()
    const stop = new AbortController()
    const waiting: (() => void)[] = []
    store.watch(() => waiting.shift()?.(), stop.signal)
    const changed = () => new Promise<void>(resolve => waiting.push(resolve))

    let call = changed()
    await edit(JSON.stringify([five({ title: 'in place' })]))
    await call
    call = changed()
    await writeFile(`${file}.new`, JSON.stringify([five({ title: 'by rename' })]))
    await rename(`${file}.new`, file)
    await call
    expect((await store.list())[0]?.title).toBe('by rename')
    call = changed()
    await edit('[broken')
    await call
    await expect.poll(() => store.faults()).toHaveLength(1)
    stop.abort()
  })
})
