import { type ByteString, type Event, eventsOf, type LogRecord, parseLogLine } from '@headwater/core'
import { logFileBytes, logFileLines } from './log-file-lines.ts'
import { type PageViewOptions, pageViewOf } from './page-view-of.ts'
import type { ReplayBatch, ReplaySource } from './replay-source.ts'
import { parseWebLogLine } from './web-log-line.ts'

/** `beacons`: an access log of the gateway or of NGINX in front of it. `pageviews`: the log of any web server. */
export type LogReplayOptions = { files: readonly string[] } & (
  | { as: 'beacons'; ingestSiteId: number }
  | ({ as: 'pageviews' } & Omit<PageViewOptions, 'source'>)
)

/** Names the lines in position-made event ids, as the source of a running server does. */
const SOURCE = 'access-log'
/** Few enough that their events are garbage before the collector moves them. */
const MAX_BATCH_LINES = 256
/** A file's first line with a time stands among these, or the file's place is behind the others. */
const MAX_LINES_LOOKED_AT = 1_000

/**
 * Events of log files, gzipped or not, oldest file first whatever order they are given in: by the time of the first line
 * that has one, because the rule for duplicates goes by log time. Positions go on from file to file (in unpacked bytes), so
 * that ids made of them differ. Rejects with STORE_UNAVAILABLE when a file cannot be read.
 */
export function logReplaySource(options: LogReplayOptions): ReplaySource {
  return {
    unique: false,
    async *batches(_range, signal): AsyncGenerator<ReplayBatch> {
      const files = await oldestFirst(options.files)
      const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0)
      const now = Date.now()
      let before = 0
      let position = 0
      for (const { file, bytes } of files) {
        for await (const { lines, tooLong, doneBytes } of logFileLines(file)) {
          for (let from = 0; from < lines.length; from += MAX_BATCH_LINES) {
            signal?.throwIfAborted()
            const events: Event[] = []
            const rejected = new Map<string, number>()
            for (let i = from; i < Math.min(lines.length, from + MAX_BATCH_LINES); i++) {
              const line = lines[i] as ByteString
              if (tooLong.includes(i)) count(rejected, 'line_too_long')
              else if (options.as === 'beacons') addBeacon(line, position, options.ingestSiteId, now, events, rejected)
              else addPageView(line, position, options, events, rejected)
              position += line.length + 1
            }
            const share = totalBytes === 0 ? 1 : (before + Math.min(doneBytes, bytes)) / totalBytes
            // A line lay in the log at once; what says that it comes from the future is not believed.
            yield { events, arrivedAt: events.map(({ receivedAt }) => Math.min(receivedAt, now)), rejected, share }
          }
        }
        before += bytes
      }
    },
  }
}

function addBeacon(
  line: ByteString,
  position: number,
  ingestSiteId: number,
  arrivedAt: number,
  events: Event[],
  rejected: Map<string, number>,
): void {
  const record = parseLogLine(line)
  if ('rejected' in record) {
    count(rejected, record.rejected)
    return
  }
  const found = eventsOf(record, { source: SOURCE, position, ingestSiteId, arrivedAt })
  if ('rejected' in found) {
    count(rejected, found.rejected)
    return
  }
  for (const event of found) {
    if ('rejected' in event) count(rejected, event.rejected)
    else events.push(event)
  }
}

function addPageView(
  line: ByteString,
  position: number,
  options: Omit<PageViewOptions, 'source'>,
  events: Event[],
  rejected: Map<string, number>,
): void {
  const { origin, siteId } = options
  const view = pageViewOf(line, position, { origin, siteId, source: SOURCE })
  if (typeof view === 'string') count(rejected, view)
  else events.push(view)
}

function count(tally: Map<string, number>, reason: string): void {
  tally.set(reason, (tally.get(reason) ?? 0) + 1)
}

async function oldestFirst(files: readonly string[]): Promise<{ file: string; bytes: number; at: number }[]> {
  const found: { file: string; bytes: number; at: number }[] = []
  // One after the other: a year of logs is hundreds of files.
  for (const file of files) found.push({ file, bytes: await logFileBytes(file), at: await firstTime(file) })
  return found.sort((a, b) => a.at - b.at)
}

async function firstTime(file: string): Promise<number> {
  let looked = 0
  for await (const { lines } of logFileLines(file)) {
    for (const line of lines) {
      const time = timeOf(line)
      if (time !== undefined) return time
      if (++looked === MAX_LINES_LOOKED_AT) return Number.MAX_SAFE_INTEGER
    }
  }
  return Number.MAX_SAFE_INTEGER
}

function timeOf(line: ByteString): number | undefined {
  const record = parseLogLine(line)
  if ('rejected' in record) return parseWebLogLine(line)?.time
  const time = receivedAt(record)
  return Number.isNaN(time) ? undefined : time
}

function receivedAt({ msec, timeLocal }: LogRecord): number {
  return msec ?? timeLocal
}
