import type { Logger } from 'pino'

/** Something that runs until it is stopped: the embedded system, a gateway, a worker. */
export interface Running {
  /** Resolves never while all is well; rejects with the error of the first part that ended by itself. */
  failure: Promise<never>
  /** Ends well: stores everything. */
  stop(): Promise<void>
}

/**
 * Runs until SIGTERM or SIGINT, then ends well; a second signal ends at once. When a part ends by itself, all the rest gets
 * `drainMs` to end well, and the process ends with status 1: what is stored is whole, and a supervisor starts anew.
 */
export async function runUntilSignal(running: Running, drainMs: number, log: Logger): Promise<void> {
  const signalled = new Promise<void>((resolve, reject) => {
    running.failure.catch(reject)
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => {
        process.once(signal, () => process.exit(130))
        resolve()
      })
  })
  try {
    await signalled
    log.info('Stopping')
  } catch (error) {
    log.fatal({ err: error }, 'A stage has ended: stopping')
    process.exitCode = 1
    await Promise.race([running.stop(), new Promise(resolve => setTimeout(resolve, drainMs).unref())]).catch(() => {})
    if (error instanceof Error && 'code' in error) console.error(error.message)
    process.exit()
  }
  await running.stop()
}
