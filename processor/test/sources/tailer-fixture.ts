import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { createProcessorMetrics, type TailerMetrics } from '../../src/metrics.ts'
import { type AccessLogSource, accessLogSource } from '../../src/sources/access-log-source.ts'

/** A folder with an access log that is written, rotated and truncated as NGINX and logrotate do it. */
export class LogFolder {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'headwater-tailer-'))
  readonly path: string = join(this.folder, 'access.log')
  readonly metrics: TailerMetrics = createProcessorMetrics(new Registry()).tailer
  #rotations = 0

  source(options: Partial<Parameters<typeof accessLogSource>[0]> = {}): Promise<AccessLogSource> {
    return accessLogSource({
      path: this.path,
      stateDir: join(this.folder, 'state'),
      name: 'test',
      rotateWaitMs: 0,
      pollMs: 10,
      lingerMs: 0,
      rescanMs: 20,
      log: pino({ level: 'silent' }),
      metrics: this.metrics,
      ...options,
    })
  }

  append(text: string, path: string = this.path): void {
    appendFileSync(path, text, 'latin1')
  }

  /** Rename and create; resolves with the rotated file's path. */
  rotate(create = true): string {
    const rotated = this.#next()
    renameSync(this.path, rotated)
    if (create) appendFileSync(this.path, '')
    return rotated
  }

  /** What logrotate's `copytruncate` does; the copy's path. */
  copyTruncate(): string {
    const copy = this.#next()
    writeFileSync(copy, readFileSync(this.path))
    truncateSync(this.path, 0)
    return copy
  }

  /** What became of files, by the metric's label. */
  async counted(what: string): Promise<number> {
    const { values } = await this.metrics.files.get()
    return values.find(({ labels }) => labels.what === what)?.value ?? 0
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  #next(): string {
    this.#rotations++
    return `${this.path}.${String(this.#rotations).padStart(8, '0')}`
  }
}

/** A line as long as a real one, and unlike every other. */
export function line(number: number): string {
  return `127.0.0.1 - - [18/Jun/2025:03:50:10 +0000] "GET /5?n=${number} HTTP/1.1" 204 0 "-" "${'agent '.repeat(number % 9)}"`
}
