import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { findProgram } from './find-program.ts'

export interface DaemonCommand {
  /** Names it in messages. */
  name: string
  command: readonly string[]
  /** Gets both outputs, of all its starts. */
  logFile: string
  env?: NodeJS.ProcessEnv
}

const PAUSE_LIMIT_MS = 10_000

/** A program in the foreground that can be killed and started again. It dies with this process. */
export class Daemon {
  readonly #program: DaemonCommand
  #child: ChildProcess | undefined

  constructor(program: DaemonCommand) {
    this.#program = program
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /** Of the process that runs now; throws while none does. */
  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error(`${this.#program.name} does not run.`)
    return pid
  }

  /** Does not wait until it is of use. */
  start(): void {
    const { name, command, logFile, env } = this.#program
    if (this.#child !== undefined) throw new Error(`${name} runs already.`)
    const output = openSync(logFile, 'a')
    const [program, ...args] = diesWithParent(command)
    const child = spawn(program as string, args, { stdio: ['ignore', output, output], ...(env && { env }) })
    closeSync(output)
    this.#child = child
    const atExit = (): void => void child.kill('SIGKILL')
    process.once('exit', atExit)
    const forget = (): void => {
      process.off('exit', atExit)
      if (this.#child === child) this.#child = undefined
    }
    child.once('exit', forget).once('error', forget)
  }

  /** Asks every 20 ms until it is ready. When it ends before, or takes longer, kills it and rejects with what it said. */
  async untilReady(isReady: () => Promise<boolean>, limitMs: number): Promise<void> {
    const child = this.#child
    const deadline = Date.now() + limitMs
    while (!(await isReady())) {
      if (child !== undefined && this.#child === child && Date.now() < deadline) {
        await new Promise(resolve => setTimeout(resolve, 20))
        continue
      }
      await this.kill()
      throw new Error(`${this.#program.name} did not become ready. It said: ${this.said()}`)
    }
  }

  /** The end of its log. */
  said(): string {
    return readFileSync(this.#program.logFile, 'utf8').slice(-3_000)
  }

  /** Resolves when the process is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    // A stopped process dies of SIGKILL only.
    if (signal !== 'SIGKILL') child.kill('SIGCONT')
    child.kill(signal)
    await ended
  }

  /** SIGSTOP. Returns when it stands still: on a busy machine its threads may answer for a while after the signal. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP')
    const nobody = new Int32Array(new SharedArrayBuffer(4))
    for (const deadline = Date.now() + PAUSE_LIMIT_MS; !standsStill(this.pid); Atomics.wait(nobody, 0, 0, 1))
      if (Date.now() > deadline)
        throw new Error(
          `${this.#program.name} must stand still after SIGSTOP. Found: it runs, ${PAUSE_LIMIT_MS} ms later.`,
        )
  }

  /** SIGCONT. */
  resume(): void {
    process.kill(this.pid, 'SIGCONT')
  }
}

/** Linux: whether all threads are stopped (state `T`, proc_pid_stat(5)). Elsewhere nobody can tell, and it is believed. */
function standsStill(pid: number): boolean {
  const tasks = `/proc/${pid}/task`
  if (!existsSync(tasks)) return true
  return readdirSync(tasks).every(thread => {
    try {
      return /\) T [^)]*$/.test(readFileSync(`${tasks}/${thread}/stat`, 'latin1'))
    } catch {
      return true // it has ended
    }
  })
}

/** Linux: the kernel kills the service with its parent, also when that one is killed and runs no exit hook. */
function diesWithParent(command: readonly string[]): readonly string[] {
  return findProgram('setpriv') === undefined ? command : ['setpriv', '--pdeathsig', 'KILL', ...command]
}
