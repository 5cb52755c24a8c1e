import { ProcessorError } from './errors.ts'
import type { FileStore } from './ports.ts'
import { archivedUpTo } from './sinks/archive-resume.ts'

/**
 * Rejects with STATE_DAMAGED when the archive has rows and the state that they came from is gone: input positions would
 * begin again at 0, below those in the archive, and new events would be taken for archived ones.
 */
export async function refuseLostState(files: FileStore): Promise<void> {
  for (const [table, log] of [
    ['event_log', 'event-log'],
    ['scenario_log', 'scenario-log'],
  ] as const) {
    const archived = await archivedUpTo(files, { table, log, partition: 0, generation: 0 }, Date.now())
    if (archived === undefined) continue
    throw new ProcessorError(
      'STATE_DAMAGED',
      'An archive goes with the state folder it was written from, and new events would be taken for archived ones. ' +
        'Put state/ back from a backup, or move archive/ elsewhere and begin a new one. ' +
        `Found: ${table} with ${archived.position} records, and nothing in state/segments.`,
    )
  }
}
