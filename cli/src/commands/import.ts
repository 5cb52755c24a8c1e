import { join } from 'node:path'
import { importEmbedded } from '@headwater/processor/distributed'
import { dataFolder } from '../data-folder.ts'
import { redisOf, requiredMariadb } from '../distributed-parts.ts'
import type { LoadedConfig } from '../load-config.ts'
import { ModeError } from '../mode-error.ts'
import { processLog } from '../process-log.ts'

/** `headwater import`: scenarios and members from the files of the embedded mode into MariaDB. */
export async function importFiles({ config }: LoadedConfig, options: { dryRun?: boolean }): Promise<void> {
  const { scenarios, members } = config
  if (scenarios.file === undefined && members.file === undefined)
    throw new ModeError(
      'import takes the files of scenarios.file and members.file. Set one of them, such as ' +
        '--set scenarios.file=scenarios.json. Found: neither.',
    )
  const log = processLog('warn')
  const db = requiredMariadb(config)
  const redis = redisOf(config, log)
  try {
    const done = await importEmbedded({
      db,
      ...(scenarios.file !== undefined && {
        scenarios: {
          file: scenarios.file,
          // Where `headwater start` kept the versions.
          stateFile: join(dataFolder(config.dataDir).state, 'scenario-versions.json'),
        },
      }),
      ...(members.file !== undefined && { members: { file: members.file } }),
      ...(redis !== undefined && { redis }),
      dryRun: options.dryRun === true,
      log,
    })
    const would = options.dryRun === true ? 'would be ' : ''
    const { added, changed, unchanged, removed } = done.scenarios
    console.log(`scenarios  ${would}added ${added}, changed ${changed}, removed ${removed}; unchanged ${unchanged}`)
    console.log(
      `members    ${would}added ${done.members.added}, changed ${done.members.changed}; unchanged ${done.members.unchanged}`,
    )
    if (done.addedColumns.length > 0) console.log(`new columns of the member table: ${done.addedColumns.join(', ')}`)
    if (done.skippedColumns.length > 0)
      console.log(`left out, for they look like passwords: ${done.skippedColumns.join(', ')}`)
    for (const conflict of done.conflicts) console.log(`! ${conflict}`)
    if (done.conflicts.length > 0) process.exitCode = 1
  } finally {
    redis?.close()
    await db.close()
  }
}
