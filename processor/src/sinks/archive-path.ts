import type { ArchiveTable } from '@headwater/core'
import type { LogName, PartitionId, Position } from '../ports.ts'

/** Which of the archive's files a sink writes. */
export interface ArchiveOwner {
  table: ArchiveTable
  log: LogName
  partition: PartitionId
  /** 0 until the operator raises it because the input was made anew; then it stands in the names. */
  generation: number
}

const HOUR_MS = 3_600_000
/** 2^53 has 16 digits: names order as positions do. */
const START_DIGITS = 16

/** The UTC hour of an arrival, counted from 1970. */
export function arrivalHour(arrivedAt: number): number {
  return Math.floor(arrivedAt / HOUR_MS)
}

/** `event-log+0+0000000000000042.parquet`; of a later generation `event-log+0+0000000000000042+g1.parquet`. */
export function archiveName(owner: ArchiveOwner, start: Position): string {
  const generation = owner.generation === 0 ? '' : `+g${owner.generation}`
  return `${owner.log}+${owner.partition}+${String(start).padStart(START_DIGITS, '0')}${generation}.parquet`
}

/** `event_log/day=2025-06-18/hour=03`: the folder of an hour. */
function hourFolder(table: ArchiveTable, hour: number): string {
  const iso = new Date(hour * HOUR_MS).toISOString()
  return `${table}/day=${iso.slice(0, 10)}/hour=${iso.slice(11, 13)}`
}

/** The final path of the file that begins with the record at `start`, which arrived in `hour`. */
export function archivePath(owner: ArchiveOwner, start: Position, hour: number): string {
  return `${hourFolder(owner.table, hour)}/${archiveName(owner, start)}`
}

/** The position a file's name begins with, or `undefined` when the file is not this owner's. */
export function startOf(owner: ArchiveOwner, path: string): Position | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const digits = name.slice(
    `${owner.log}+${owner.partition}+`.length,
    `${owner.log}+${owner.partition}+`.length + START_DIGITS,
  )
  if (!/^\d+$/.test(digits)) return undefined
  const start = Number(digits)
  return name === archiveName(owner, start) ? start : undefined
}

/** Whose file this is, whatever the partition and generation; `undefined` for a file that no sink writes. */
export function ownerOf(table: ArchiveTable, path: string): ArchiveOwner | undefined {
  const log = table === 'event_log' ? 'event-log' : 'scenario-log'
  const [, partition, , generation] = /\+(\d+)\+(\d+)(?:\+g(\d+))?\.parquet$/.exec(path) ?? []
  const owner: ArchiveOwner = { table, log, partition: Number(partition), generation: Number(generation ?? 0) }
  return startOf(owner, path) === undefined ? undefined : owner
}

/** Folders that hold the files of the days from `fromDay` (`2025-06-18`) to the day of `now`, and one day on. */
export function dayFolders(table: ArchiveTable, fromDay: string, now: number): string[] {
  const folders: string[] = []
  const last = now + 24 * HOUR_MS
  for (let day = Date.parse(`${fromDay}T00:00:00Z`); day <= last; day += 24 * HOUR_MS) {
    folders.push(`${table}/day=${new Date(day).toISOString().slice(0, 10)}`)
  }
  return folders
}

/** Low-water mark of a table's partition. */
export function markPath(owner: ArchiveOwner): string {
  const generation = owner.generation === 0 ? '' : `+g${owner.generation}`
  return `_position/${owner.table}+${owner.log}+${owner.partition}${generation}.json`
}

/** Where uploads of a table wait for their final name. */
export function temporaryFolder(table: ArchiveTable): string {
  return `_tmp/${table}`
}
