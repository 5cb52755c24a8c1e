import { connect } from 'node:net'
import { Daemon, type DaemonCommand } from './daemon.ts'

/** What a test may do to a service of its own. */
export interface ServiceProcess {
  /** Of the process that runs now; throws while none does. */
  pid(): number
  /** Ends it at once (default SIGKILL); its data stays. Resolves when the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again, on its data and its port, after `kill`. Resolves when it is ready. */
  restart(): Promise<void>
  /** SIGSTOP: it holds its connections and says nothing. */
  pause(): void
  /** SIGCONT. */
  resume(): void
}

export interface ServiceCommand extends DaemonCommand {
  /** Asked every 20 ms until it says yes. */
  isReady: () => Promise<boolean>
}

const START_LIMIT_MS = 60_000

/** Starts a service in the foreground and waits until it is ready. It dies with this process. */
export async function startServiceProcess(service: ServiceCommand): Promise<ServiceProcess> {
  const daemon = new Daemon(service)
  const restart = async (): Promise<void> => {
    daemon.start()
    await daemon.untilReady(service.isReady, START_LIMIT_MS)
  }
  await restart()
  return {
    pid: () => daemon.pid,
    kill: signal => daemon.kill(signal),
    restart,
    pause: () => daemon.pause(),
    resume: () => daemon.resume(),
  }
}

/** Whether a TCP server on 127.0.0.1 takes connections. */
export function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** The first bytes that a TCP server on 127.0.0.1 sends, after it got `say`; undefined when it does not answer within 1 s. */
export function firstAnswer(port: number, say = ''): Promise<Buffer | undefined> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    const end = (answer?: Buffer): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1_000, () => end())
    socket.once('connect', () => socket.write(say))
    socket.once('data', end)
    socket.once('error', () => end())
    socket.once('close', () => end())
  })
}
