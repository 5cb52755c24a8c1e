import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'

/** What the generated lines must give when all is well. */
export interface LineOptions {
  /** Scenario ids; events go to `/1` … `/<scenarios>` in turn. */
  scenarios: number
  /** Member ids `0` … `<members − 1>`. */
  members: number
  /** Log time of the first line, Unix ms; lines follow each other by `stepMs`. */
  startMs: number
  stepMs: number
}

const NAMES = ['%EA%B3%A0%EB%A9%B4%ED%95%A0%EB%8B%B9%ED%95%98%EA%B8%B0', 'buy', 'add%20to%20cart', '%EA%B5%AC%EB%A7%A4']
const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
]
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

/** Line `i` of an access log as the gateway writes it (format `headwater`): a click of the SDK, 16 parameters. */
export function accessLine(i: number, options: LineOptions): string {
  const ms = options.startMs + i * options.stepMs
  const at = new Date(ms)
  const two = (n: number) => String(n).padStart(2, '0')
  const time =
    `${two(at.getUTCDate())}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}:` +
    `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} +0000`
  const id = randomBytes(16).toString('base64url')
  const visitor = (i % 50_021).toString(16).padStart(16, '0')
  const query =
    `e_c=buttonClick&e_a=Clicked&e_n=${NAMES[i % 4]}&idsite=1&rec=1&url=http%3A%2F%2Fshop.example%2Fproduct_detail%2F${i % 997}` +
    `&urlref=http%3A%2F%2Fshop.example%2F&_id=${visitor}&_idn=0&send_image=0&cookie=1&res=1920x1080` +
    `&memberId=${(i * 7919) % options.members}&h=${i % 24}&hw_id=${id}&hw_seq=${i % 100}`
  return (
    `203.0.113.${i % 250} - - [${time}] "GET /${1 + (i % options.scenarios)}?${query} HTTP/1.1" 204 0 ` +
    `"http://shop.example/" "${AGENTS[i % 3]}" "-" ${randomBytes(16).toString('hex')} ${(ms / 1000).toFixed(3)} "-"`
  )
}

/** A member file: id, age, gender. */
export function memberCsv(members: number): string {
  const lines = ['member_id,age,gender']
  for (let i = 0; i < members; i++) lines.push(`${i},${15 + (i % 60)},${i % 2 === 0 ? 'MALE' : 'FEMALE'}`)
  return `${lines.join('\n')}\n`
}

/** `count` scenarios of three filters each, as in the seeds. */
export function benchScenarios(count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({
    scenario_id: i + 1,
    title: `bench ${i + 1}`,
    manager: 'bench',
    log_format: { e_n: 1, memberId: 1, h: 1, res: 1, url: 1 },
    filters: [
      { left: 'age', operator: '>', right: String(18 + (i % 10)) },
      { left: 'gender', operator: '==', right: i % 2 === 0 ? 'MALE' : 'FEMALE' },
      { left: 'h', operator: '>=', right: String(i % 12) },
    ],
    logical_operator: 'AND',
  }))
}

/** Whether scenario `1 + i % scenarios` of `benchScenarios` must find line `i` a success, worked out without core. */
export function isSuccess(i: number, { scenarios, members }: LineOptions): boolean {
  const scenario = i % scenarios
  const member = (i * 7919) % members
  const gender = scenario % 2 === 0 ? 0 : 1
  return 15 + (member % 60) > 18 + (scenario % 10) && member % 2 === gender && i % 24 >= scenario % 12
}

/** What lines `from` … `to − 1` must count by scenario id. */
export function expectedCounts(
  from: number,
  to: number,
  options: LineOptions,
): Map<number, { total: number; success: number }> {
  const counts = new Map<number, { total: number; success: number }>()
  for (let i = from; i < to; i++) {
    const scenarioId = 1 + (i % options.scenarios)
    const count = counts.get(scenarioId) ?? { total: 0, success: 0 }
    count.total++
    if (isSuccess(i, options)) count.success++
    counts.set(scenarioId, count)
  }
  return counts
}

/** Appends lines `from` … `to − 1` to a log, 1 000 in one write. */
export async function appendLines(path: string, from: number, to: number, options: LineOptions): Promise<void> {
  const file = await open(path, 'a')
  try {
    for (let start = from; start < to; start += 1000) {
      let text = ''
      for (let i = start; i < Math.min(to, start + 1000); i++) text += `${accessLine(i, options)}\n`
      await file.appendFile(text, 'latin1')
    }
  } finally {
    await file.close()
  }
}
