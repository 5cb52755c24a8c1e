import { join } from 'node:path'
import { type ArchiveSinkOptions, DeadLetterBudget, type FilterStageOptions } from '@headwater/processor'
import type { Config } from './config.ts'
import type { DataFolder } from './data-folder.ts'

// What the configuration says to the stages, in both modes.

/** The zone of a site that names one. */
export function siteTimezoneOf({ sites }: Config): (siteId: number) => string | undefined {
  const zones = new Map(sites.map(site => [site.id, site.timezone]))
  return siteId => zones.get(siteId)
}

/** How the filter judges. */
export function judgementOf(
  config: Config,
): Pick<FilterStageOptions, 'timezone' | 'siteTimezone' | 'ingestSiteId' | 'dedup' | 'deadLetterBudget'> {
  return {
    timezone: config.timezone,
    siteTimezone: siteTimezoneOf(config),
    ingestSiteId: config.ingest.siteId,
    dedup: config.dedup,
    deadLetterBudget: new DeadLetterBudget(config.deadLetters.maxBytesPerHour),
  }
}

/** When the archive closes a file, and how it is written. */
export function archivingOf(
  { archive }: Config,
  folder: DataFolder,
): Pick<ArchiveSinkOptions, 'tempDir' | 'roll' | 'codec'> {
  return {
    tempDir: join(folder.state, 'encoding'),
    roll: {
      everyMs: archive.rollEveryMs,
      rows: archive.rollRows,
      bytes: archive.rollBytes,
      idleMs: archive.rollIdleMs,
    },
    codec: archive.codec,
  }
}
