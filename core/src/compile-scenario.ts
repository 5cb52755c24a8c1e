import type { Event } from './event.ts'
import type { Member } from './member.ts'
import type { Scenario } from './scenario.ts'

export interface CompileOptions {
  /** Names that mean the member, also for visitors without a member record. */
  memberColumns: ReadonlySet<string>
  /** The zone of a scenario that names none: its site's, else the configured one. */
  timezone: string
}

export interface CompiledScenario {
  scenario: Scenario
  /** Whether `test` or `keep` reads the member. */
  needsMember: boolean
  test(event: Event, member: Member | undefined): boolean
  /** The kept fields as name, value pairs. */
  keep(event: Event, member: Member | undefined): string[]
}

export function compileScenario(_scenario: Scenario, _options: CompileOptions): CompiledScenario {
  throw new Error('to come')
}
