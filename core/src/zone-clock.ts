/** The wall clock of one IANA zone. A date that is no date (NaN, infinite, beyond ±8.64e15) gives NaN everywhere. */
export interface ZoneClock {
  /** The name as it was asked for. */
  readonly timezone: string
  /** 0–23. */
  hour(unixMs: number): number
  /** 1 = Monday … 7 = Sunday. */
  weekday(unixMs: number): number
  /** What the zone's wall clock is ahead of UTC, in ms; negative west of Greenwich. */
  offsetMs(unixMs: number): number
}

/**
 * `Intl` takes about a microsecond for one date, too much for every event, so offsets are remembered for blocks of
 * 15 minutes. All of today's zones change at such a boundary, but nothing relies on it: a block whose two ends differ is
 * not remembered, and every date in it is asked for.
 */
const BLOCK_MS = 15 * 60_000
/** About ten days of blocks. Beyond it the map is emptied: events are of today, and a cache must not grow. */
const MAX_BLOCKS = 1024
const MAX_DATE_MS = 8.64e15
const DAY_MS = 86_400_000

const clocks = new Map<string, ZoneClock>()
const MAX_CLOCKS = 1000

/** The clock of a zone; the same one for the same name. Throws a RangeError when `isTimeZone` says no. */
export function zoneClock(timezone: string): ZoneClock {
  let clock = clocks.get(timezone)
  if (clock === undefined) {
    clock = createZoneClock(timezone)
    if (clocks.size >= MAX_CLOCKS) clocks.clear()
    clocks.set(timezone, clock)
  }
  return clock
}

/** Whether a name is a zone of the IANA database. Offsets such as `+09:00` are none: only newer engines know them. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name })
    return true
  } catch {
    return false
  }
}

function createZoneClock(timezone: string): ZoneClock {
  if (!isTimeZone(timezone)) throw new RangeError(`Expected an IANA time zone such as Asia/Seoul. Found: ${timezone}`)
  const format = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' })
  const offsetOfBlock = new Map<number, number>()
  let lastBlock = Number.NaN
  let lastOffset = 0

  function offsetMs(unixMs: number): number {
    const block = Math.floor(unixMs / BLOCK_MS)
    return block === lastBlock ? lastOffset : lookUp(unixMs, block)
  }

  function lookUp(unixMs: number, block: number): number {
    let offset = offsetOfBlock.get(block)
    if (offset === undefined) {
      if (!(Math.abs(unixMs) <= MAX_DATE_MS - BLOCK_MS)) return Number.NaN
      offset = askIntl(format, block * BLOCK_MS)
      if (offset !== askIntl(format, (block + 1) * BLOCK_MS - 1)) return askIntl(format, unixMs)
      if (offsetOfBlock.size >= MAX_BLOCKS) offsetOfBlock.clear()
      offsetOfBlock.set(block, offset)
    }
    lastBlock = block
    lastOffset = offset
    return offset
  }

  return {
    timezone,
    offsetMs,
    hour(unixMs) {
      const local = unixMs + offsetMs(unixMs)
      return Math.floor((local - Math.floor(local / DAY_MS) * DAY_MS) / 3_600_000)
    },
    weekday(unixMs) {
      // 1970-01-01 was a Thursday, the fourth day.
      const day = Math.floor((unixMs + offsetMs(unixMs)) / DAY_MS) + 3
      return day - Math.floor(day / 7) * 7 + 1
    },
  }
}

/** `GMT`, `GMT+09:00`, `GMT-00:44:30` (ECMA-402, `longOffset`). */
function askIntl(format: Intl.DateTimeFormat, unixMs: number): number {
  const text = format.formatToParts(unixMs).find(part => part.type === 'timeZoneName')?.value ?? ''
  const match = /^GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text)
  if (match === null) throw new RangeError(`Expected GMT±HH:MM from Intl. Found: ${text}`)
  const [, sign, hours = '0', minutes = '0', seconds = '0'] = match
  const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000
  return sign === '-' ? -ms : ms
}
