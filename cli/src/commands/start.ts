import { relative } from 'node:path'
import { type Logger, pino } from 'pino'
import { prettyFactory } from 'pino-pretty'
import { type Embedded, startEmbedded } from '../embedded.ts'
import { type LiveLine, liveLine } from '../live-line.ts'
import type { LoadedConfig } from '../load-config.ts'

/** `headwater start`: runs until SIGTERM or SIGINT, then ends well; a second signal ends at once. */
export async function start({ config }: LoadedConfig): Promise<void> {
  const terminal = process.stderr.isTTY ? liveLine(process.stderr) : undefined
  const log = logger(config.log.level, terminal)
  const running = await startEmbedded(config, log)
  console.log(welcome(running, config))

  const ended = new Promise<void>((resolve, reject) => {
    running.failure.catch(reject)
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => {
        process.once(signal, () => process.exit(130))
        resolve()
      })
  })
  const ticking = terminal && setInterval(async () => terminal.show(await running.progress()), 1000)
  try {
    await ended
    log.info('Stopping')
  } catch (error) {
    // What was acknowledged lies in the access log; ending loudly lets a supervisor start anew.
    log.fatal({ err: error }, 'A stage has ended: stopping')
    process.exitCode = 1
    await Promise.race([running.stop(), new Promise(resolve => setTimeout(resolve, config.drainMs).unref())]).catch(
      () => {},
    )
    if (error instanceof Error && 'code' in error) console.error(error.message)
    process.exit()
  } finally {
    clearInterval(ticking)
    terminal?.end()
  }
  await running.stop()
}

/** A terminal gets lines for people above the live line; anything else one JSON object a line. */
function logger(level: string, terminal: LiveLine | undefined): Logger {
  if (terminal === undefined) return pino({ level }, pino.destination({ fd: 2, sync: true }))
  const prettify = prettyFactory({
    colorize: true,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
  })
  return pino({ level }, { write: line => terminal.write(prettify(line)) })
}

function welcome({ ports, files, front }: Embedded, { dataDir, gateway }: LoadedConfig['config']): string {
  const shown = (path: string) => {
    const near = relative(process.cwd(), path)
    return near.startsWith('..') ? path : near
  }
  const origin = `${gateway.tls.cert === undefined ? 'http' : 'https'}://localhost:${ports.gateway}`
  return `
Headwater takes beacons at ${origin} (${front === 'uws' ? 'uWebSockets.js' : 'node:http'})

  scenarios   ${shown(files.scenarios)}
  members     ${shown(files.members)}
  access log  ${shown(files.accessLog)}
  archive     ${shown(files.archive)}
  metrics     http://127.0.0.1:${ports.metrics}/metrics

Put this into your pages:

  <script async src="${origin}/headwater.js" data-site-id="1"></script>

or try it by hand, then look, in a second terminal:

  curl "${origin}/5?e_c=buttonClick&e_a=Clicked&e_n=buy&memberId=123456&h=10"
  npx headwater stats${dataDir === './data' ? '' : ` --data-dir ${dataDir}`}
`
}
