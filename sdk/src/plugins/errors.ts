import type { Plugin } from '../plugin.ts'

/** A page that fails in a loop shall not flood the collector. */
const MAX_ERRORS = 10
const MAX_MESSAGE_CHARS = 500

/**
 * Reports uncaught errors and rejections as Matomo does: `JavaScript Errors`, `<file>:<line>:<column>`, the message. Each
 * once, at most 10 a page load.
 */
export function errors(): Plugin {
  return (tracker, { on }) => {
    const seen = new Set<string>()
    const report = (place: string, message: string): void => {
      const name = message.slice(0, MAX_MESSAGE_CHARS)
      if (seen.size >= MAX_ERRORS || seen.has(place + name)) return
      seen.add(place + name)
      tracker.event('JavaScript Errors', place, name)
    }
    on('error', ({ message, filename, lineno, colno }) => {
      // Images and scripts that fail to load have no message.
      if (message) report(`${filename}:${lineno}:${colno}`, message)
    })
    on('unhandledrejection', ({ reason }) => {
      report('unhandledrejection', `${(reason as Error | undefined)?.message ?? reason}`)
    })
    return () => {}
  }
}
