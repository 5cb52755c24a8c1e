import { startGateway } from '@headwater/gateway'
import { pino } from 'pino'

// `node gateway-process.js <uws|node> <log file>`: a gateway alone, as `gateway-bench.ts` measures it. Prints its port, ends on
// SIGTERM.
const [front, file] = process.argv.slice(2)
if ((front !== 'uws' && front !== 'node') || file === undefined)
  throw new Error(`uws or node, and a log file, must be given. Found: ${front}, ${file}.`)
// NGINX does not rotate either.
const log = { file, maxBytes: 0, maxAgeMs: 0 }
const gateway = await startGateway(
  { host: '127.0.0.1', port: 0, healthPort: undefined, frontEnd: front, log },
  { log: pino({ level: 'warn' }) },
)
process.once('SIGTERM', () => void gateway.close())
console.log(gateway.port)
