import { type Logger, pino } from 'pino'
import { prettyFactory } from 'pino-pretty'
import type { LiveLine } from './live-line.ts'

/** What this process says on standard error: on a terminal lines for people, above the live line if there is one; else one JSON object a line. */
export function processLog(level: string, terminal?: LiveLine): Logger {
  if (!process.stderr.isTTY) return pino({ level }, pino.destination({ fd: 2, sync: true }))
  const prettify = prettyFactory({
    colorize: true,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
  })
  const write = terminal ? (line: string) => terminal.write(line) : (line: string) => process.stderr.write(line)
  return pino({ level }, { write: line => write(prettify(line)) })
}
