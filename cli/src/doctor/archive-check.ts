import { join } from 'node:path'
import { compareCounters, localFileStore, stateFileStatsStore, verifyArchive } from '@headwater/processor'
import { progressLine } from '../progress-line.ts'
import { bytesText, type Check, type Finding, fail, ok, warn } from './check.ts'

/** A fault a file, but no screens full of them. */
const MAX_SHOWN = 20

export const archiveCheck: Check = {
  name: 'archive',
  async run({ config, folder, readArchive }): Promise<Finding[]> {
    if (!readArchive) return [ok('Not read; --archive reads every file and compares the counters with its rows.')]
    const progress = progressLine(process.stderr, 'rows')
    // Before the archive is listed: what is counted from now on is no concern of ours. Its faults are told by "state".
    const stored = await stateFileStatsStore({ file: join(folder.state, 'stats.json') })
      .load(0)
      .catch(() => undefined)
    const tables = await verifyArchive({
      archiveDir: folder.archive,
      files: localFileStore(folder.archive),
      onProgress: ({ rows, doneBytes, totalBytes }) => progress.show(rows, doneBytes / totalBytes),
    }).finally(() => progress.end())

    const found: Finding[] = []
    for (const { table, files, rows, bytes, faults, strangers } of tables) {
      for (const { path, message } of faults.slice(0, MAX_SHOWN))
        found.push(
          fail(
            `${join(folder.archive, path)}: ${message}`,
            'Bring the file back from a backup; else stop, move it out of the archive, and run headwater stats rebuild.',
          ),
        )
      if (faults.length > MAX_SHOWN)
        found.push(fail(`${table}: ${faults.length - MAX_SHOWN} more faults of this kind.`, 'Mend those above first.'))
      if (strangers.length > 0)
        found.push(
          warn(
            `${table}: ${strangers.length} files are none of this log, such as ${strangers[0]}.`,
            'Queries read them. When nobody put them there on purpose, move them away.',
          ),
        )
      if (faults.length === 0)
        found.push(ok(`${table}: ${rows} rows in ${files} files (${bytesText(bytes)}), all read.`))
    }

    const outcomes = tables.find(({ table }) => table === 'scenario_log')
    if (outcomes === undefined || outcomes.faults.length > 0) return found
    if (stored === undefined) {
      if (outcomes.rows > 0)
        found.push(fail('There are archived outcomes, and no counters.', 'Stop, and run headwater stats rebuild.'))
      return found
    }
    const { rows, counted, maxUnarchived, tooFew } = await compareCounters(folder.archive, outcomes, {
      position: stored.at.position,
      counters: stored.counters,
    })
    for (const what of tooFew.slice(0, MAX_SHOWN))
      found.push(fail(`Scenario ${what}.`, 'Stop, and run headwater stats rebuild: it counts the archive again.'))
    if (tooFew.length > 0) return found
    const text = `${counted} outcomes counted, ${rows} of them archived`
    if (counted - rows > maxUnarchived && config.archive.keepDays !== undefined)
      found.push(ok(`${text}; older rows are deleted after archive.keepDays = ${config.archive.keepDays} days.`))
    else if (counted - rows > maxUnarchived)
      found.push(
        warn(
          `${text}; at most ${maxUnarchived} can be on their way.`,
          'In order after rows were deleted on purpose (archive.keepDays, headwater forget). Else bring the files back from a backup, or accept the archive as it is: headwater stats rebuild.',
        ),
      )
    else found.push(ok(`${text}${counted === rows ? '' : `, ${counted - rows} on their way`}.`))
    return found
  },
}
