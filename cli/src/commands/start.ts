import { relative } from 'node:path'
import { isDistributed } from '../config.ts'
import { type Embedded, startEmbedded } from '../embedded.ts'
import { liveLine } from '../live-line.ts'
import type { LoadedConfig } from '../load-config.ts'
import { localUrl } from '../local-url.ts'
import { ModeError } from '../mode-error.ts'
import { processLog } from '../process-log.ts'
import { runUntilSignal } from '../run-until-signal.ts'

/** `headwater start`: runs until SIGTERM or SIGINT, then ends well; a second signal ends at once. */
export async function start({ config }: LoadedConfig): Promise<void> {
  if (isDistributed(config))
    throw new ModeError(
      '`headwater start` runs everything in one process and has no use for kafka.brokers. Run `headwater gateway`, ' +
        '`headwater ship` and `headwater worker` (docs/guide/distributed.md), or remove the setting. ' +
        `Found: ${config.kafka.brokers.join(', ')}.`,
    )
  const terminal = process.stderr.isTTY ? liveLine(process.stderr) : undefined
  const log = processLog(config.log.level, terminal)
  const running = await startEmbedded(config, log)
  console.log(welcome(running, config))

  const ticking = terminal && setInterval(async () => terminal.show(await running.progress()), 1000)
  try {
    await runUntilSignal(running, config.drainMs, log)
  } finally {
    clearInterval(ticking)
    terminal?.end()
  }
}

function welcome({ ports, files, front }: Embedded, { dataDir, gateway, metrics }: LoadedConfig['config']): string {
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
  metrics     ${localUrl(metrics.host, ports.metrics)}/metrics

Put this into your pages:

  <script async src="${origin}/headwater.js" data-site-id="1"></script>

or try it by hand, then look, in a second terminal:

  curl "${origin}/5?e_c=buttonClick&e_a=Clicked&e_n=buy&memberId=123456&h=10"
  npx headwater stats${dataDir === './data' ? '' : ` --data-dir ${dataDir}`}
`
}
