/** `yyyy-MM-ddTHH:mm:ss`, then perhaps a fraction, then perhaps `Z`, `±HH:MM` or `±HHMM`. */
const ISO_TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(?:(Z)|([+-])(\d\d):?(\d\d))?$/

/**
 * Unix ms of an ISO 8601 time as other programs write it; NaN when it is none. A time without a zone is read in the one
 * that is `zoneOffsetMinutes` east of UTC (540 is Korea and Japan).
 */
export function parseZonedTime(text: string, zoneOffsetMinutes: number): number {
  if (text.length > 40) return Number.NaN
  const match = ISO_TIME.exec(text)
  if (match === null) return Number.NaN
  const [, day, clock, fraction = '', utc, sign, zoneHours, zoneMinutes] = match
  const unzoned = Date.parse(`${day}T${clock}.${fraction.slice(0, 3).padEnd(3, '0')}Z`)
  const offset =
    utc !== undefined
      ? 0
      : sign === undefined
        ? zoneOffsetMinutes
        : (sign === '-' ? -1 : 1) * (Number(zoneHours) * 60 + Number(zoneMinutes))
  return unzoned - offset * 60_000
}
