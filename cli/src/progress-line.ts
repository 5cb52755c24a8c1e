/** Progress of work that ends by itself: one line in place on a terminal, a plain line now and then elsewhere. */
export interface ProgressLine {
  /** `count` things are done, `share` (0 … 1) of all the work. */
  show(count: number, share: number): void
  /** Leaves the last state standing; may be called twice. */
  end(): void
}

const ERASE_LINE = '\r\u001b[2K'
const PLAIN_EVERY_MS = 10_000
const TERMINAL_EVERY_MS = 100

/** `unit` names what is counted: `rows`. */
export function progressLine(stream: NodeJS.WriteStream, unit: string, clock = () => performance.now()): ProgressLine {
  const started = clock()
  const terminal = stream.isTTY === true
  let next = started + (terminal ? 0 : PLAIN_EVERY_MS)
  let shown = false
  return {
    show(count, share) {
      const now = clock()
      if (now < next && share < 1) return
      if (!terminal && now < next) return
      next = now + (terminal ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS)
      const line = progressText(count, share, now - started, unit)
      stream.write(terminal ? `${ERASE_LINE}${line.slice(0, Math.max(20, stream.columns - 1))}` : `${line}\n`)
      shown = true
    },
    end() {
      if (shown && terminal) stream.write('\n')
      shown = false
    },
  }
}

/** `1200000 rows · 60 % · 400000 rows/s · 2 s left` */
export function progressText(count: number, share: number, tookMs: number, unit: string): string {
  const seconds = Math.max(tookMs, 1) / 1000
  const left = share > 0 && share < 1 ? ` · ${duration((seconds / share) * (1 - share))} left` : ''
  return `${count} ${unit} · ${Math.floor(share * 100)} % · ${Math.round(count / seconds)} ${unit}/s${left}`
}

function duration(seconds: number): string {
  if (seconds < 100) return `${Math.ceil(seconds)} s`
  return seconds < 6000 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`
}
