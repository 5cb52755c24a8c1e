import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { chromiumPath } from '@headwater/testkit'

/**
 * Chromium without a driver. Playwright and Puppeteer watch a page's network, and a watched `fetch` notes the stack that it
 * is called from: V8 then parses every function on that stack again, which was a third of what our tracker's start seemed to
 * cost (2.4 of 7.1 ms, and 4.2 of 11.2 ms where the functions are longer). Here nothing of the page is watched.
 */
export interface BareChromium {
  /** A tab of a visitor who has never been anywhere. */
  newPage(): Promise<BarePage>
  close(): Promise<void>
}

export interface BarePage {
  /** A command of the DevTools protocol: https://chromedevtools.github.io/devtools-protocol/ */
  send<T>(method: string, params?: object): Promise<T>
  /** Does `work` and waits for the next `load` event. */
  loaded(work: Promise<unknown>): Promise<void>
  /** The value of an expression, JSON-like; of a promise, what it resolves to. Rejects with what it throws. */
  evaluate<T>(expression: string): Promise<T>
  close(): Promise<void>
}

interface Message {
  id?: number
  sessionId?: string
  method?: string
  result?: unknown
  error?: { message: string }
}

/** `chromiumPath()` must not be undefined. */
export async function startBareChromium(): Promise<BareChromium> {
  const home = await mkdtemp(join(tmpdir(), 'headwater-chromium-'))
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync']
  const quiet = ['--disable-background-networking', '--disable-component-update', `--user-data-dir=${home}`]
  const child = spawn(chromiumPath() as string, ['--remote-debugging-pipe', ...flags, ...quiet], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  })
  const gone = new Promise<void>(resolve => child.on('exit', () => resolve()))
  const [, , , commands, messages] = child.stdio as unknown as [null, null, null, Writable, Readable]

  const waiting = new Map<number, (message: Message) => void>()
  const listeners = new Set<(message: Message) => void>()
  let last = 0
  let rest = ''
  messages.setEncoding('utf8')
  messages.on('data', (text: string) => {
    const whole = (rest + text).split('\0')
    rest = whole.pop() as string
    for (const one of whole) {
      const message = JSON.parse(one) as Message
      if (message.id === undefined) for (const listener of listeners) listener(message)
      else waiting.get(message.id)?.(message)
    }
  })

  const send = <T>(method: string, params: object = {}, sessionId?: string): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = ++last
      waiting.set(id, ({ result, error }) => {
        waiting.delete(id)
        if (error) reject(new Error(`${method}: ${error.message}`))
        else resolve(result as T)
      })
      commands.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    })

  return {
    async newPage() {
      const { browserContextId } = await send<{ browserContextId: string }>('Target.createBrowserContext')
      const target = { url: 'about:blank', browserContextId }
      const { targetId } = await send<{ targetId: string }>('Target.createTarget', target)
      const attached = { targetId, flatten: true }
      const { sessionId } = await send<{ sessionId: string }>('Target.attachToTarget', attached)
      await send('Page.enable', {}, sessionId)
      return {
        send: (method, params) => send(method, params, sessionId),
        async loaded(work) {
          const load = new Promise<void>(resolve => {
            const listener = (message: Message): void => {
              if (message.sessionId !== sessionId || message.method !== 'Page.loadEventFired') return
              listeners.delete(listener)
              resolve()
            }
            listeners.add(listener)
          })
          await work
          await load
        },
        async evaluate<T>(expression: string): Promise<T> {
          const how = { expression, awaitPromise: true, returnByValue: true }
          const { result, exceptionDetails } = await send<{
            result: { value: T }
            exceptionDetails?: { exception?: { description?: string } }
          }>('Runtime.evaluate', how, sessionId)
          if (exceptionDetails) throw new Error(exceptionDetails.exception?.description)
          return result.value
        },
        close: () => send('Target.disposeBrowserContext', { browserContextId }),
      }
    },
    async close() {
      await send('Browser.close')
      await gone
      // The last of Chromium's processes may still write its profile.
      await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    },
  }
}
