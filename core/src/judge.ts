import type { CompiledScenario } from './compile-scenario.ts'
import type { Event } from './event.ts'
import type { Member } from './member.ts'
import type { Outcome } from './outcome.ts'

/** One outcome for each of `judges` (as `ScenarioSet.judgesOf` gives them), in their order. */
export function judge(_event: Event, _member: Member | undefined, _judges: readonly CompiledScenario[]): Outcome[] {
  throw new Error('to come')
}
