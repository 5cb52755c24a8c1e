import type { Fate } from './hostile-requests.ts'

/** A line that may stand in an access log, and what must become of it. */
export interface HostileLine {
  what: string
  /** One character a byte, without the newline. */
  line: string
  fate: Fate
}

const EVENT: Fate = { judged: 1 }
const V = '_id=0123456789abcdef'
const TIME = '22/Nov/2026:10:00:00 +0000'
const TAIL = '204 0 "-" "agent"'

/** Format `combined`. */
const combined = (request: string, options: { user?: string; time?: string; tail?: string } = {}) =>
  `127.0.0.1 - ${options.user ?? '-'} [${options.time ?? TIME}] "${request}" ${options.tail ?? TAIL}`
/** Format `headwater`; `body` as NGINX writes it. */
const headwater = (request: string, body: string, id = '-') => `${combined(request)} "-" ${id} 1795341600.123 "${body}"`
const escaped = (json: string) => json.replaceAll('"', '\\x22')

export const HOSTILE_LINES: readonly HostileLine[] = [
  // Events, whatever bytes are in them.
  { what: 'a NUL', line: combined(`GET /6?${V}&e_n=a\0b HTTP/1.1`), fate: EVENT },
  { what: 'Latin-1', line: combined(`GET /6?${V}&e_n=caf\xe9 HTTP/1.1`), fate: EVENT },
  { what: 'invalid UTF-8', line: combined(`GET /6?${V}&e_n=\xc3\x28\xff\xfe\xed\xa0\x80 HTTP/1.1`), fate: EVENT },
  { what: '\\x soup', line: combined(`GET /6?${V}&e_n=\\x\\xZZ\\x4\\x\\\\x41\\xff\\ HTTP/1.1`), fate: EVENT },
  { what: 'escaped controls and quotes', line: combined(`GET /6?${V}&e_n=\\x00\\x0A\\x22\\x5C HTTP/1.1`), fate: EVENT },
  {
    what: 'a Basic user with spaces and brackets',
    line: combined(`GET /6?${V} HTTP/1.1`, { user: `a - b [${TIME}] c` }),
    fate: EVENT,
  },
  { what: 'no protocol', line: combined(`GET /6?${V}`), fate: EVENT },
  { what: 'spaces in the URL', line: combined(`GET /6?${V}&e_n=a b c HTTP/1.1`), fate: EVENT },
  {
    what: 'a client that had gone (499)',
    line: combined(`GET /6?${V} HTTP/1.1`, { tail: '499 0 "-" "agent"' }),
    fate: EVENT,
  },
  { what: '300 KB of percent signs', line: combined(`GET /6?${V}&e_n=${'%'.repeat(300_000)} HTTP/1.1`), fate: EVENT },
  { what: '100 000 parameters', line: combined(`GET /6?${V}${'&a=1'.repeat(100_000)} HTTP/1.1`), fate: EVENT },
  {
    what: 'a body of JSON',
    line: headwater(`POST /6?${V} HTTP/1.1`, escaped('{"e_c":"x","__proto__":{"a":1}}')),
    fate: EVENT,
  },
  {
    what: 'a bulk with items that are none',
    line: headwater('POST /matomo.php HTTP/1.1', escaped('{"requests":["?idsite=1",7,null,"?rec=1"]}'), 'r-1'),
    fate: { site_without_scenario: 1, no_target: 1, bad_body: 2 },
  },
  // No beacons.
  {
    what: 'a TLS hello as NGINX logs it',
    line: combined('\\x16\\x03\\x01\\x02\\x00\\x01', { tail: '400 157 "-" "-"' }),
    fate: { not_a_beacon: 1 },
  },
  { what: 'an empty request', line: combined('', { tail: '400 0 "-" "-"' }), fate: { not_a_beacon: 1 } },
  { what: 'a cut request', line: combined(`GET /6?_id=01234`, { tail: '400 157 "-" "-"' }), fate: { not_a_beacon: 1 } },
  {
    what: 'another path',
    line: combined('GET /wp-login.php HTTP/1.1', { tail: '404 0 "-" "-"' }),
    fate: { not_a_beacon: 1 },
  },
  {
    what: 'a beacon that was refused',
    line: combined(`GET /6?${V} HTTP/1.1`, { tail: '503 0 "-" "-"' }),
    fate: { not_a_beacon: 1 },
  },
  // Not lines of an access log.
  { what: 'an empty line', line: '', fate: { bad_line: 1 } },
  { what: 'words', line: 'Segmentation fault (core dumped)', fate: { bad_line: 1 } },
  { what: '100 KB of NULs, as a crashed file system leaves them', line: '\0'.repeat(100_000), fate: { bad_line: 1 } },
  { what: '100 KB of quotes', line: '"'.repeat(100_000), fate: { bad_line: 1 } },
  { what: '100 KB of " - "', line: ' - ['.repeat(25_000), fate: { bad_line: 1 } },
  { what: 'a line cut off', line: combined(`GET /6?${V} HTTP/1.1`).slice(0, 60), fate: { bad_line: 1 } },
  {
    what: 'two lines glued',
    line: combined(`GET /6?${V} HTTP/1.1`).slice(0, 60) + combined(`GET /6?${V} HTTP/1.1`),
    fate: { bad_line: 1 },
  },
  {
    what: 'a time that is none',
    line: combined(`GET /6?${V} HTTP/1.1`, { time: '99/Foo/2026:99:00:00 +0000' }),
    fate: { bad_time: 1 },
  },
  { what: 'JSON that is no Fluentd record', line: '{"a":1}', fate: { bad_line: 1 } },
  { what: '200 000 objects in each other', line: '{"a":'.repeat(200_000), fate: { bad_line: 1 } },
  {
    what: '2 MiB without an end',
    line: combined(`GET /6?${V}&e_n=${'x'.repeat(2 * 1024 * 1024)} HTTP/1.1`),
    fate: { line_too_long: 1 },
  },
  { what: '3 MiB of invalid UTF-8', line: '\xff'.repeat(3 * 1024 * 1024), fate: { line_too_long: 1 } },
  // Events that lead nowhere.
  { what: 'a scenario that never was', line: combined(`GET /4711?${V} HTTP/1.1`), fate: { unknown_scenario: 1 } },
  { what: 'neither scenario nor site', line: combined('GET /matomo.php?rec=1 HTTP/1.1'), fate: { no_target: 1 } },
  { what: 'a body of brackets', line: headwater(`POST /6?${V} HTTP/1.1`, '['.repeat(500_000)), fate: { bad_body: 1 } },
  { what: 'an ingest that is not JSON', line: headwater('POST /ingest HTTP/1.1', 'tag=a'), fate: { not_json: 1 } },
]
