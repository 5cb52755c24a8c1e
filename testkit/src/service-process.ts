import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, closeSync, constants, openSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'

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

export interface ServiceCommand {
  /** Names it in messages. */
  name: string
  command: readonly string[]
  /** Gets both outputs; its end is shown when the service does not start. */
  logFile: string
  /** Asked every 20 ms until it says yes. */
  isReady: () => Promise<boolean>
  env?: NodeJS.ProcessEnv
}

const START_LIMIT_MS = 60_000

/** Starts a service in the foreground and waits until it is ready. It dies with this process. */
export async function startServiceProcess(service: ServiceCommand): Promise<ServiceProcess> {
  let running: ChildProcess | undefined

  async function start(): Promise<void> {
    if (running !== undefined) throw new Error(`${service.name} runs already.`)
    const output = openSync(service.logFile, 'a')
    const [program, ...args] = diesWithParent(service.command)
    const child = spawn(program as string, args, {
      stdio: ['ignore', output, output],
      ...(service.env && { env: service.env }),
    })
    closeSync(output)
    running = child
    const atExit = (): void => void child.kill('SIGKILL')
    process.once('exit', atExit)
    const forget = (): void => {
      process.off('exit', atExit)
      if (running === child) running = undefined
    }
    child.once('exit', forget).once('error', forget)
    const deadline = Date.now() + START_LIMIT_MS
    while (!(await service.isReady())) {
      if (running === child && Date.now() < deadline) {
        await new Promise(resolve => setTimeout(resolve, 20))
        continue
      }
      await kill()
      const said = readFileSync(service.logFile, 'utf8').slice(-3_000)
      throw new Error(`${service.name} did not become ready. It said: ${said}`)
    }
  }

  async function kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = running
    if (child === undefined) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    // A stopped process dies of SIGKILL only.
    if (signal !== 'SIGKILL') child.kill('SIGCONT')
    child.kill(signal)
    await ended
  }

  const pid = (): number => {
    if (running?.pid === undefined) throw new Error(`${service.name} does not run.`)
    return running.pid
  }
  await start()
  return {
    pid,
    kill,
    restart: start,
    pause: () => void process.kill(pid(), 'SIGSTOP'),
    resume: () => void process.kill(pid(), 'SIGCONT'),
  }
}

/** Where a program stands, or undefined. Debian keeps servers in /usr/sbin, which is not on every PATH. */
export function findProgram(name: string): string | undefined {
  for (const folder of [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']) {
    const file = join(folder, name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // Not in this folder.
    }
  }
  return undefined
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

/** Linux: the kernel kills the service with its parent, also when that one is killed and runs no exit hook. */
function diesWithParent(command: readonly string[]): readonly string[] {
  return findProgram('setpriv') === undefined ? command : ['setpriv', '--pdeathsig', 'KILL', ...command]
}
