/** The wall clock of one IANA zone. */
export interface ZoneClock {
  readonly timezone: string
  /** 0–23. */
  hour(unixMs: number): number
  /** 1 = Monday … 7 = Sunday. */
  weekday(unixMs: number): number
}
export function zoneClock(_timezone: string): ZoneClock {
  throw new Error('to come')
}
export function isTimeZone(_name: string): boolean {
  throw new Error('to come')
}
