import type { CompiledScenario } from './compile-scenario.ts'
import type { Event } from './event.ts'
import type { EventFields } from './event-fields.ts'
import type { Member } from './member.ts'
import type { Outcome } from './outcome.ts'
import { PlainEvent } from './plain-event.ts'
import { PlainOutcome } from './plain-outcome.ts'

/**
 * One outcome for each of `judges` (as `ScenarioSet.judgesOf` gives them), in their order. Filters see every field of the
 * event: first judged, then cut down to what is kept. `member` is the event's, looked up by the caller when one of the
 * judges `needsMember`. Never throws.
 */
export function judge(event: Event, member: Member | undefined, judges: readonly CompiledScenario[]): Outcome[] {
  const outcomes: Outcome[] = []
  let read: EventFields | undefined
  for (let i = 0; i < judges.length; i++) {
    const judge = judges[i] as CompiledScenario
    if (judge.fields !== read) {
      read = judge.fields
      read.read(event)
    }
    const { scenario, columns } = judge
    const success = judge.testRead(member) ? 1 : 0
    if (event instanceof PlainEvent && columns !== undefined) {
      outcomes.push(new PlainOutcome(event, scenario, success, columns, member))
      continue
    }
    outcomes.push({
      eventId: event.eventId,
      scenarioId: scenario.scenario_id,
      scenarioVersion: scenario.version,
      judgingVersion: scenario.judging_version,
      success,
      date: event.date,
      receivedAt: event.receivedAt,
      fields: judge.keepRead(event, member),
    })
  }
  return outcomes
}
