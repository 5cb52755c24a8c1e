import { type Event, getParam, type Params, parseScenario, type Scenario, type ScenarioFilter } from '@headwater/core'

/** An event with the given parameters; everything else is ordinary unless said otherwise. */
export function sampleEvent(params: Params, rest: Partial<Event> = {}): Event {
  return {
    eventId: 'AAAAAAAAAAAAAAAAAAAAAA',
    scenarioId: 5,
    siteId: undefined,
    receivedAt: Date.UTC(2025, 5, 18, 3, 50, 10, 456),
    date: Date.UTC(2025, 5, 18, 3, 50, 10, 123),
    visitorId: '0dc813c4cde7f430',
    memberId: getParam(params, 'memberId'),
    ip: '203.0.113.0',
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
    params,
    ...rest,
  }
}

/** A valid scenario with some parts replaced. Throws with the faults when it is not valid after all. */
export function sampleScenario(rest: Record<string, unknown> = {}): Scenario {
  const result = parseScenario({ scenario_id: 5, title: 'a scenario', filters: [], ...rest })
  if (!result.ok) throw new Error(result.faults.join('\n'))
  return result.scenario
}

export function filter(left: string, operator: string, right = ''): ScenarioFilter {
  return { left, operator, right }
}
