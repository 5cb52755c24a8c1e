import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { runHeadwater } from './headwater-process.ts'
import { HOSTILE_LINES } from './hostile-lines.ts'
import { seededRandom } from './seeded-random.ts'

export interface MixedLogOptions {
  /** The new access log, in format `headwater`. */
  file: string
  /** Lines of ordinary traffic; all else comes on top. */
  lines: number
  seed: number
  /** A data folder for the command that makes the traffic; nothing is written there. */
  dataDir: string
}

/** What was put into the log besides ordinary traffic. */
export interface MixedLog {
  lines: number
  /** Lines whose event had been there before: sent again by the tracker, or written twice by a shipper. */
  repeats: number
  /** Bulk beacons, and the events in them. */
  bulks: number
  bulkEvents: number
  hostile: number
}

/** One line in so many is followed by something else. */
const EXTRA_EVERY = 20
/** How far back a repeat reaches. */
const REMEMBERED = 500
/** Kafka takes records of 1 MB; a line this long would be cut by the one mode and not by the other. */
const MAX_LINE = 900_000

/**
 * Writes an access log as an edge host has it on a bad day: simulated visitors (members, clicks on buy, bots), with bulks,
 * repeats, and lines that are none, the same for the same seed. A repeat has its visitor's `_id`, as the tracker sends it.
 */
export async function writeMixedLog(options: MixedLogOptions): Promise<MixedLog> {
  const { file, lines, seed, dataDir } = options
  const random = seededRandom(seed)
  const plain = `${file}.plain`
  await runHeadwater(dataDir, {}, [
    'demo',
    '--lines',
    String(lines),
    '--seed',
    String(seed),
    '--span',
    '6h',
    '--out',
    plain,
  ])
  const mixed: MixedLog = { lines: 0, repeats: 0, bulks: 0, bulkEvents: 0, hostile: 0 }
  const out = createWriteStream(file, { encoding: 'latin1' })
  const write = async (line: string): Promise<void> => {
    mixed.lines++
    if (!out.write(`${line}\n`)) await once(out, 'drain')
  }
  const hostile = HOSTILE_LINES.map(({ line }) => line).filter(line => line.length < MAX_LINE)
  const recent: string[] = []
  let n = 0
  for await (const line of createInterface({ input: createReadStream(plain, { encoding: 'latin1' }) })) {
    await write(line)
    if (recent.push(line) > REMEMBERED) recent.shift()
    if (++n % EXTRA_EVERY !== 0) continue
    const kind = random.next()
    if (kind < 0.4) {
      mixed.repeats++
      // The same event in another request, or the very same line.
      const again = random.pick(recent)
      await write(
        random.next() < 0.5 ? again : again.replace('hw_try=0', 'hw_try=1').replace(REQUEST_ID, requestId(random.next)),
      )
    } else if (kind < 0.8) {
      const events = random.between(2, 12)
      mixed.bulks++
      mixed.bulkEvents += events
      await write(bulkLine(line, events, random.next))
    } else {
      mixed.hostile++
      await write(random.pick(hostile))
    }
  }
  out.end()
  await once(out, 'finish')
  await rm(plain)
  return mixed
}

const REQUEST_ID = /(?<= "-" )[0-9a-f]{32}(?= )/

function requestId(next: () => number): string {
  return Array.from({ length: 32 }, () => Math.floor(next() * 16).toString(16)).join('')
}

/** A bulk of the visitor of `line`, as NGINX logs it: the body's quotes escaped. */
function bulkLine(line: string, events: number, next: () => number): string {
  const visitor = /[?&]_id=([0-9a-f]{16})/.exec(line)?.[1] ?? '0123456789abcdef'
  const requests = Array.from(
    { length: events },
    (_, i) =>
      `?idsite=1&rec=1&e_c=bulk&e_a=${i % 3 === 0 ? '%EA%B5%AC%EB%A7%A4' : 'scroll'}&e_n=${i}&_id=${visitor}&hw_id=${requestId(next).slice(0, 22)}`,
  )
  const body = JSON.stringify({ requests }).replaceAll('"', '\\x22')
  return line
    .replace(/"(?:GET|POST) [^"]* HTTP\/1\.1"/, `"POST /matomo.php?_id=${visitor} HTTP/1.1"`)
    .replace(REQUEST_ID, requestId(next))
    .replace(/"-"$/, `"${body}"`)
}
