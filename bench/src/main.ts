import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { archiveBench } from './archive/archive-bench.ts'
import type { Bench, Measured } from './bench.ts'
import { chainBench } from './chain/chain-bench.ts'
import { chainDistributedBench } from './chain-distributed/chain-distributed-bench.ts'
import { coreBench } from './core/core-bench.ts'
import { freshnessBench } from './freshness/freshness-bench.ts'
import { gatewayBench } from './gateway/gateway-bench.ts'
import { memoryBench } from './memory/memory-bench.ts'
import { scaleBench } from './scale/scale-bench.ts'
import { sdkBench } from './sdk/sdk-bench.ts'
import { sdkLossBench } from './sdk-loss/sdk-loss-bench.ts'
import { statsBench } from './stats/stats-bench.ts'

// `npm run bench -- core gateway`, `npm run bench -- all --small`, `npm run bench -- chain --profile`; of chain-distributed
// and scale also `--events 10000000`. Prints a table; a full run without profile writes bench/results/<name>.json.
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    small: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    events: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const events = values.events === undefined ? undefined : Number(values.events)
if (events !== undefined && !(Number.isSafeInteger(events) && events > 0))
  throw new RangeError(`--events must be a whole number above 0. Found: ${values.events}.`)

const benches: readonly Bench[] = [
  coreBench,
  gatewayBench,
  statsBench,
  archiveBench,
  chainBench,
  chainDistributedBench(events),
  freshnessBench,
  memoryBench,
  scaleBench(events),
  sdkBench,
  sdkLossBench,
]

const chosen = positionals.includes('all') ? benches : benches.filter(bench => positionals.includes(bench.name))
const unknown = positionals.filter(name => name !== 'all' && !benches.some(bench => bench.name === name))
if (values.help || chosen.length === 0 || unknown.length > 0) {
  if (unknown.length > 0) console.error(`There is no bench of this name. Found: ${unknown.join(', ')}\n`)
  console.log('npm run bench -- <name …|all> [--small] [--profile] [--events <n>]\n')
  for (const bench of benches) console.log(`  ${bench.name.padEnd(19)}${bench.about}`)
  process.exitCode = values.help ? 0 : 1
}

for (const bench of chosen) {
  console.log(`\n# ${bench.name}: ${bench.about}`)
  const measured = await bench.run({ scale: values.small ? 'small' : 'full', profile: values.profile })
  print(measured)
  if (!values.small && !values.profile && events === undefined && measured.skipped === undefined) keep(bench, measured)
}

function print({ skipped, rows, verdicts, hotspots }: Measured): void {
  if (skipped !== undefined) {
    console.log(`skipped: ${skipped}`)
    return
  }
  console.table(Object.fromEntries(rows.map(row => [row.what, row.figures])))
  // A small run is too short for its figures to mean anything.
  if (!values.small)
    for (const { target, seen, reached } of verdicts)
      console.log(`${reached ? 'reached' : 'MISSED '}  ${target}: ${seen}`)
  if (hotspots !== undefined) {
    console.log('\nwhere the time goes (self time, share of all that was busy)')
    for (const { where, self } of hotspots) console.log(`${(100 * self).toFixed(1).padStart(6)} %  ${where}`)
  }
}

function keep(bench: Bench, measured: Measured): void {
  const results = new URL('../results/', import.meta.url)
  mkdirSync(results, { recursive: true })
  const machine = { node: process.version, cpus: cpus().length, cpu: cpus()[0]?.model ?? 'unknown' }
  const content = { bench: bench.name, about: bench.about, at: new Date().toISOString(), machine, ...measured }
  writeFileSync(new URL(`${bench.name}.json`, results), `${JSON.stringify(content, null, 2)}\n`)
}
