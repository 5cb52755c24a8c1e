import { join } from 'node:path'
import { fileMemberStore, jsonScenarioStore } from '@headwater/processor'
import { pino } from 'pino'
import { exampleFile } from '../example-files.ts'
import { type Check, type Finding, fail, ok, warn } from './check.ts'

const silent = pino({ level: 'silent' })

export const scenarioCheck: Check = {
  name: 'scenarios',
  async run({ config, folder }): Promise<Finding[]> {
    const file = config.scenarios.file ?? exampleFile('scenarios.json')
    const store = jsonScenarioStore({
      file,
      stateFile: join(folder.state, 'scenario-versions.json'),
      readOnly: true,
      log: silent,
    })
    const scenarios = await store.list()
    const found: Finding[] = store.faults().map(({ where, message }) =>
      fail(
        // A place that is only a scenario or a line belongs to the file.
        `${where.includes(file) ? where : `${file}: ${where}`}: ${message}`,
        'Correct it there; until then the last good version of the scenario, if there is one, stays in force. docs/guide/scenarios.md has the form.',
      ),
    )
    const enabled = scenarios.filter(scenario => scenario.enabled).length
    const summary = `${enabled} scenarios are in force, ${scenarios.length - enabled} disabled: ${file}.`
    found.push(enabled > 0 ? ok(summary) : warn(summary, 'Events are archived, but none is judged: enable a scenario.'))
    if (config.scenarios.file === undefined)
      found.push(warn('The scenarios are the examples.', 'Name a file of your own in scenarios.file.'))
    return found
  },
}

export const memberCheck: Check = {
  name: 'members',
  async run({ config }): Promise<Finding[]> {
    const file = config.members.file ?? exampleFile('members.csv')
    const store = fileMemberStore({ file, log: silent })
    const columns = await store.columns()
    const found = [ok(`${store.size()} members with ${[...columns].join(', ') || 'no attributes'}: ${file}.`)]
    if (config.members.file === undefined)
      found.push(
        warn(
          'The members are the examples.',
          'Name a file of your own in members.file; an empty one with a header will do.',
        ),
      )
    return found
  },
}
