import type { Scenario } from '@headwater/core'
import { ProcessorError } from '../errors.ts'
import { readScenarioFile } from '../stores/scenario-file.ts'
import { reconcileScenarios } from '../stores/scenario-versions.ts'

/**
 * The scenarios of a file as it stands, without any memory of versions before: for trying a draft. Rejects with
 * SCENARIO_INVALID and every fault, one a line: of a draft nothing is in force that could stand in for what is wrong.
 */
export async function readScenarios(file: string): Promise<Scenario[]> {
  const { fault, entries } = await readScenarioFile(file)
  const { known, faults } = reconcileScenarios(new Map(), entries)
  const found = fault === undefined ? faults : [fault]
  if (found.length > 0) {
    throw new ProcessorError(
      'SCENARIO_INVALID',
      `the scenario file has faults.\n${found.map(({ where, message }) => `  ${where}: ${message}`).join('\n')}`,
    )
  }
  return [...known.values()].map(({ scenario }) => scenario).sort((a, b) => a.scenario_id - b.scenario_id)
}
