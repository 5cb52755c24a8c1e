import type { Config } from '../config.ts'
import type { DataFolder } from '../data-folder.ts'

/** `warn`: works, but somebody should look. `fail`: does not work, or data is damaged. */
export type Verdict = 'ok' | 'warn' | 'fail'

/** What a check found. */
export interface Finding {
  verdict: Verdict
  /** A sentence, with the value found. */
  message: string
  /** What to do; only where something is to be done. */
  remedy?: string
}

/** What the checks look at. */
export interface Patient {
  config: Config
  folder: DataFolder
  /** The living process that works in the folder; undefined: none. */
  pid: number | undefined
  /** The ports of that process. */
  ports: { gateway: number; metrics: number } | undefined
  /** Whether the archive is read from end to end, which takes time. */
  readArchive: boolean
}

/** One thing that is looked at. A rejection becomes a `fail` with the error's sentence. */
export interface Check {
  name: string
  run(patient: Patient): Promise<Finding[]>
}

export function ok(message: string): Finding {
  return { verdict: 'ok', message }
}

export function warn(message: string, remedy: string): Finding {
  return { verdict: 'warn', message, remedy }
}

export function fail(message: string, remedy: string): Finding {
  return { verdict: 'fail', message, remedy }
}

/** 1 536 as `1.5 KiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}
