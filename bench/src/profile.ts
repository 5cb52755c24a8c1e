import { readdirSync, readFileSync } from 'node:fs'
import { type Profiler, Session } from 'node:inspector'
import { basename, join } from 'node:path'
import type { Hotspot } from './bench.ts'

/** How many functions are shown. */
const SHOWN = 20

/** Runs `work`; with `wanted`, also says in which functions of this thread its time went. */
export async function profiled<T>(
  wanted: boolean,
  work: () => Promise<T>,
): Promise<{ result: T; hotspots: readonly Hotspot[] | undefined }> {
  if (!wanted) return { result: await work(), hotspots: undefined }
  const session = new Session()
  session.connect()
  const post = (method: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      session.post(method, (error: Error | null, answer?: unknown) => (error ? reject(error) : resolve(answer)))
    })
  await post('Profiler.enable')
  await post('Profiler.start')
  const result = await work()
  const { profile } = (await post('Profiler.stop')) as { profile: Profiler.Profile }
  session.disconnect()
  return { result, hotspots: hotspotsOf(profile) }
}

/** What `node --cpu-prof --cpu-prof-dir=<folder>` left behind; the largest file is the main thread's. */
export function hotspotsIn(folder: string): readonly Hotspot[] {
  const texts = readdirSync(folder)
    .filter(name => name.endsWith('.cpuprofile'))
    .map(name => readFileSync(join(folder, name), 'utf8'))
    .sort((a, b) => b.length - a.length)
  if (texts[0] === undefined) throw new Error(`${folder} must hold a .cpuprofile. Found: none.`)
  return hotspotsOf(JSON.parse(texts[0]) as Profiler.Profile)
}

/** Self time by function, the longest first, as a share of all time that was not idle. */
function hotspotsOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): readonly Hotspot[] {
  const byNode = new Map(nodes.map(node => [node.id, node.callFrame]))
  const micros = new Map<string, number>()
  let busy = 0
  samples.forEach((id, i) => {
    const frame = byNode.get(id)
    const delta = timeDeltas[i] ?? 0
    if (frame === undefined || frame.functionName === '(idle)') return
    busy += delta
    const file = frame.url === '' ? '' : ` ${basename(frame.url)}:${frame.lineNumber + 1}`
    const where = `${frame.functionName === '' ? '(anonymous)' : frame.functionName}${file}`
    micros.set(where, (micros.get(where) ?? 0) + delta)
  })
  return [...micros]
    .sort((a, b) => b[1] - a[1])
    .slice(0, SHOWN)
    .map(([where, time]) => ({ where, self: time / busy }))
}
