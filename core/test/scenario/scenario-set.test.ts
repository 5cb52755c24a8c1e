import { type CompiledScenario, createScenarioSet, judge, type NoScenario } from '@headwater/core'
import { describe, expect, test } from 'vitest'
import { sampleEvent, sampleScenario } from './sample-event.ts'

const OPTIONS = { memberColumns: new Set(['age']), timezone: 'UTC' }

function ids(judges: readonly CompiledScenario[] | NoScenario): number[] | NoScenario {
  return typeof judges === 'string' ? judges : judges.map(judge => judge.scenario.scenario_id)
}

describe('a scenario set', () => {
  const set = createScenarioSet(
    [
      sampleScenario({ scenario_id: 9, site_id: 7 }),
      sampleScenario({ scenario_id: 5 }),
      sampleScenario({ scenario_id: 2, site_id: 7 }),
      sampleScenario({ scenario_id: 3, site_id: 7, status: 'PAUSE' }),
      sampleScenario({ scenario_id: 4, site_id: 8, enabled: false }),
    ],
    { ...OPTIONS, removedIds: new Set([1, 5]) },
  )

  test.each<[string, { scenarioId?: number; siteId?: number }, number[] | NoScenario]>([
    ['an event sent to a scenario is judged by it alone', { scenarioId: 5, siteId: undefined }, [5]],
    ['also when it names a site', { scenarioId: 5, siteId: 7 }, [5]],
    ['an event of a site is judged by its enabled scenarios, ordered by id', { siteId: 7 }, [2, 9]],
    ['an unknown scenario', { scenarioId: 6 }, 'unknown_scenario'],
    ['an unknown scenario is not replaced by the site', { scenarioId: 6, siteId: 7 }, 'unknown_scenario'],
    ['a disabled scenario', { scenarioId: 3 }, 'disabled_scenario'],
    ['a deleted scenario', { scenarioId: 1 }, 'disabled_scenario'],
    ['a site whose scenarios are all disabled', { siteId: 8 }, 'site_without_scenario'],
    ['a site without scenarios', { siteId: 9 }, 'site_without_scenario'],
    ['neither scenario nor site', {}, 'site_without_scenario'],
  ])('%s', (_what, target, expected) => {
    expect(ids(set.judgesOf(sampleEvent([], { scenarioId: undefined, ...target })))).toEqual(expected)
  })

  test('holds all scenarios ordered by id', () => {
    expect(ids(set.scenarios)).toEqual([2, 3, 4, 5, 9])
  })

  test('gives each scenario the zone it names, else that of its site, else the configured one', () => {
    const log_format = { h: 1 }
    const zones = createScenarioSet(
      [
        sampleScenario({ scenario_id: 1, log_format, site_id: 7, timezone: 'America/New_York' }),
        sampleScenario({ scenario_id: 2, log_format, site_id: 7 }),
        sampleScenario({ scenario_id: 3, log_format, site_id: 8 }),
        sampleScenario({ scenario_id: 4, log_format }),
      ],
      { ...OPTIONS, timezone: 'Europe/Berlin', siteTimezone: id => (id === 7 ? 'Asia/Seoul' : undefined) },
    )
    const outcomes = judge(sampleEvent([], { date: Date.UTC(2025, 0, 1, 12) }), undefined, zones.scenarios)
    expect(outcomes.map(outcome => outcome.fields[1])).toEqual(['7', '21', '13', '13'])
  })

  test('says for each outcome which version judged it', () => {
    const scenario = sampleScenario({ version: 4, judging_version: 2, log_format: { e_c: 1 } })
    const event = sampleEvent(['e_c', 'a'])
    const [outcome] = judge(event, undefined, createScenarioSet([scenario], OPTIONS).scenarios)
    expect(outcome).toEqual({
      eventId: event.eventId,
      scenarioId: 5,
      scenarioVersion: 4,
      judgingVersion: 2,
      success: 1,
      date: event.date,
      receivedAt: event.receivedAt,
      fields: ['e_c', 'a'],
    })
  })

  test('does not mix the events it judges one after the other', () => {
    const { scenarios } = createScenarioSet([sampleScenario({ log_format: { a: 1, host: 1, h: 1 } })], OPTIONS)
    const one = sampleEvent(['a', '1', 'url', 'http://one/', 'h', '3'])
    const two = sampleEvent([], { date: Date.UTC(2025, 0, 1, 5) })
    expect(judge(one, undefined, scenarios)[0]?.fields).toEqual(['a', '1', 'host', 'one', 'h', '3'])
    expect(judge(two, undefined, scenarios)[0]?.fields).toEqual(['h', '5'])
  })
})
