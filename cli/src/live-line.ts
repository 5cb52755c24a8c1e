import type { Progress } from './embedded.ts'

/** The stream of a terminal with one line at its bottom that changes in place. */
export interface LiveLine {
  /** Writes log lines above it. */
  write(text: string): void
  show(progress: Progress): void
  /** Leaves the last state standing. */
  end(): void
}

const ERASE_LINE = '\r\u001b[2K'

export function liveLine(terminal: NodeJS.WriteStream): LiveLine {
  let line = ''
  let events: number | undefined
  let at = performance.now()
  return {
    write(text) {
      terminal.write(`${ERASE_LINE}${text}${line}`)
    },
    show(progress) {
      const now = performance.now()
      const rate = events === undefined ? 0 : ((progress.events - events) * 1000) / (now - at)
      events = progress.events
      at = now
      const file =
        progress.lastArchiveFile === undefined
          ? 'no archive file yet'
          : `last file ${progress.lastArchiveFile.replace(/0{4,}/, '…')}`
      const whole =
        `${rate.toFixed(rate < 10 ? 1 : 0)} events/s · ${progress.events} events · ` +
        `lag ${progress.lagBytes} B · ${file}${progress.heldRows > 0 ? ` (+${progress.heldRows} rows)` : ''}`
      line = whole.slice(0, Math.max(20, terminal.columns - 1))
      terminal.write(`${ERASE_LINE}${line}`)
    },
    end() {
      if (line !== '') terminal.write('\n')
      line = ''
    },
  }
}
