import type { LoadedConfig } from '../load-config.ts'
import { ModeError } from '../mode-error.ts'
import { processLog } from '../process-log.ts'
import { runUntilSignal } from '../run-until-signal.ts'
import { STAGES, type Stage, startWorker } from '../worker.ts'

/** `headwater worker`: runs its stages until SIGTERM or SIGINT. */
export async function worker({ config }: LoadedConfig, names: readonly string[]): Promise<void> {
  const unknown = names.filter(name => !(STAGES as readonly string[]).includes(name))
  if (names.length === 0 || unknown.length > 0)
    throw new ModeError(
      `a worker runs one or several of ${STAGES.join(', ')}. Found: ${unknown.length > 0 ? unknown.join(', ') : 'none'}.`,
    )
  const log = processLog(config.log.level)
  const running = await startWorker(config, new Set(names as Stage[]), log)
  await runUntilSignal(running, config.drainMs, log)
  // A client that kafkajs could not end, after the death of a broker say, would keep the process alive.
  process.exit()
}
