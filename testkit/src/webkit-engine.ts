import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine, EnginePage, EngineVisitor, InstalledEngine } from './engine.ts'
import { freePort } from './free-port.ts'

/**
 * WebKitGTK's MiniBrowser, by WebKitWebDriver (https://www.w3.org/TR/webdriver2/, plain HTTP), on a screen of its own
 * (Xvfb). A driver takes one session, so each visitor has a driver; a session starts with nothing stored.
 */
export function webkitEngine(): InstalledEngine {
  const missing = [
    ['/usr/bin/WebKitWebDriver', 'webkit2gtk-driver'],
    ['/usr/bin/Xvfb', 'xvfb'],
    [miniBrowser(), 'webkit2gtk-driver'],
  ].find(([path]) => !path || !existsSync(path))
  return { name: 'webkit', missing: missing && `not installed (Debian: ${missing[1]})`, start }
}

/** Debian keeps it below the folder of the machine's architecture. */
function miniBrowser(): string | undefined {
  return readdirSync('/usr/lib')
    .map(folder => `/usr/lib/${folder}/webkit2gtk-4.1/MiniBrowser`)
    .find(existsSync)
}

async function start(): Promise<Engine> {
  const home = await mkdtemp(join(tmpdir(), 'headwater-webkit-'))
  // Xvfb looks for a free display itself and writes its number to descriptor 3.
  const screen = spawn('/usr/bin/Xvfb', ['-displayfd', '3', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  const display = await new Promise<string>((resolve, reject) => {
    screen.once('error', reject)
    screen.once('exit', code => reject(new Error(`Xvfb ended with ${code}`)))
    screen.stdio[3]?.once('data', data => resolve(`:${String(data).trim()}`))
  })
  const environment = { ...process.env, HOME: home, DISPLAY: display, XDG_RUNTIME_DIR: home, GDK_BACKEND: 'x11' }
  const visitors = new Set<EngineVisitor>()
  const visitor = async (): Promise<Session> => {
    const started = await startSession(environment)
    visitors.add(started.visitor)
    return started
  }
  // One at once: its answer names the version, and it serves the first who asks.
  const first = await visitor()
  let spare: EngineVisitor | undefined = first.visitor
  return {
    name: 'webkit',
    version: first.version,
    closingLoses: false,
    async newVisitor() {
      const next = spare ?? (await visitor()).visitor
      spare = undefined
      return next
    },
    async close() {
      await Promise.all([...visitors].map(one => one.close()))
      screen.kill()
      await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    },
  }
}

/** One command of the WebDriver protocol. Rejects with the driver's error and message. */
type Command = <T>(method: 'GET' | 'POST' | 'DELETE', path: string, parameters?: object) => Promise<T>

interface Session {
  visitor: EngineVisitor
  version: string
}

/** On a busy machine it takes 3 s. */
const SESSION_MS = 10_000
/** More than the driver gives a page or a script. */
const COMMAND_MS = 25_000

/**
 * The driver waits for ever for a browser that has ended before it has come to the driver, seldom and on
 * a busy machine. A browser that was only slow ends with the screen.
 */
async function startSession(environment: NodeJS.ProcessEnv): Promise<Session> {
  for (let tries = 1; ; tries++) {
    const port = await freePort()
    const driver = spawn('/usr/bin/WebKitWebDriver', [`--port=${port}`, '--host=127.0.0.1'], {
      stdio: 'ignore',
      env: environment,
    })
    try {
      return await openSession(driver, `http://127.0.0.1:${port}`)
    } catch (error) {
      driver.kill()
      if (tries === 3) throw error
    }
  }
}

async function openSession(driver: ChildProcess, base: string): Promise<Session> {
  const command: Command = async (method, path, parameters = {}) => {
    const body = method === 'POST' ? { body: JSON.stringify(parameters) } : {}
    const signal = AbortSignal.timeout(path === '/session' ? SESSION_MS : COMMAND_MS)
    const response = await fetch(base + path, { method, ...body, signal }).catch(error => {
      throw new Error(`WebDriver ${method} ${path}: ${error}`)
    })
    const { value } = (await response.json()) as { value: never }
    const { error, message } = (value ?? {}) as { error?: string; message?: string }
    if (!response.ok) throw new Error(`WebDriver ${method} ${path}: ${error}: ${message}`)
    return value
  }
  await answering(driver, () => command('GET', '/status'))

  const options = { binary: miniBrowser(), args: ['--automation'] }
  const { sessionId, capabilities } = await command<{ sessionId: string; capabilities: { browserVersion: string } }>(
    'POST',
    '/session',
    { capabilities: { alwaysMatch: { browserName: 'MiniBrowser', 'webkitgtk:browserOptions': options } } },
  )
  const session = `/session/${sessionId}`
  const inSession: Command = (method, path, parameters) => command(method, session + path, parameters)
  return { version: capabilities.browserVersion, visitor: await webkitVisitor(inSession, driver) }
}

async function answering(driver: ChildProcess, ask: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    try {
      await ask()
      return
    } catch (error) {
      if (Date.now() > deadline || driver.exitCode !== null) throw error
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
}

async function webkitVisitor(command: Command, driver: ChildProcess): Promise<EngineVisitor> {
  /** The driver has one current window; what pages ask of it stands in a queue. */
  let last: Promise<unknown> = Promise.resolve()
  const inWindow = <T>(handle: string, work: () => Promise<T>): Promise<T> => {
    const turn = last.then(async () => {
      await command('POST', '/window', { handle })
      return work()
    })
    last = turn.catch(() => {})
    return turn
  }

  await command('POST', '/timeouts', { pageLoad: 20_000, script: 20_000 })
  // The first window stays and is not handed out: the browser would end with its last page.
  const first = await command<string>('GET', '/window')
  const closed = new Promise<void>(resolve => driver.once('exit', () => resolve()))
  return {
    async newPage() {
      // A window: a tab that nobody has chosen is a hidden page.
      const opened = await inWindow(first, () => command<{ handle: string }>('POST', '/window/new', { type: 'window' }))
      return webkitPage(opened.handle, command, inWindow)
    },
    async close() {
      if (driver.exitCode !== null || driver.signalCode !== null) return
      await last
      await command('DELETE', '').catch(() => {})
      driver.kill()
      await closed
    },
  }
}

function webkitPage(
  handle: string,
  command: Command,
  inWindow: <T>(handle: string, work: () => Promise<T>) => Promise<T>,
): EnginePage {
  const run = <T>(method: 'GET' | 'POST' | 'DELETE', path: string, parameters?: object): Promise<T> =>
    inWindow(handle, () => command<T>(method, path, parameters))
  return {
    goto: url => run('POST', '/url', { url }),
    async evaluate<T>(expression: string) {
      const script = `const done = arguments[arguments.length - 1]
        Promise.resolve().then(() => (${expression}))
          .then(value => done({ value }), error => done({ error: String(error) }))`
      const { value, error } = await run<{ value: T; error?: string }>('POST', '/execute/async', { script, args: [] })
      if (error) throw new Error(error)
      return value
    },
    click: selector =>
      inWindow(handle, async () => {
        const element = await command<Record<string, string>>('POST', '/element', {
          using: 'css selector',
          value: selector,
        })
        await command('POST', `/element/${Object.values(element)[0]}/click`)
      }),
    reload: () => run('POST', '/refresh'),
    back: () => run('POST', '/back'),
    forward: () => run('POST', '/forward'),
    close: () => run('DELETE', '/window'),
  }
}
