import { closeSync, fsyncSync, mkdtempSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** How many visitors the lines are of; every tenth has no id, only an address. */
const VISITORS = 300

/**
 * The access log of an edge host, written as NGINX writes it: a renamed file gets lines until the log is opened anew. Every
 * line is unlike all others and bears its number.
 */
export class EdgeLog {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'headwater-edge-'))
  readonly path: string = join(this.folder, 'access.log')
  /** All lines so far, one character a byte. */
  readonly lines: string[] = []
  #file: number = openSync(this.path, 'a')
  #rotations = 0

  /** Appends the next lines of format `headwater`. */
  grow(count: number): void {
    this.append(Array.from({ length: count }, (_, i) => numberedLine(this.lines.length + i)))
  }

  append(lines: readonly string[]): void {
    writeSync(this.#file, Buffer.from(lines.map(line => `${line}\n`).join(''), 'latin1'))
    this.lines.push(...lines)
  }

  /** Renames the log: `access.log.1`, `.2` … The writer goes on with the renamed file until `reopen`. */
  rename(): void {
    this.#rotations++
    renameSync(this.path, `${this.path}.${this.#rotations}`)
  }

  /** What NGINX does on USR1. */
  reopen(): void {
    closeSync(this.#file)
    this.#file = openSync(this.path, 'a')
  }

  close(): void {
    fsyncSync(this.#file)
    closeSync(this.#file)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function numberedLine(number: number): string {
  const visitor = number % VISITORS
  const id = visitor % 10 === 0 ? '' : `&_id=${(0xabcdef0000 + visitor).toString(16).padStart(16, '0')}`
  const request = `GET /${1 + (number % 9)}?e_c=buttonClick&e_n=%EA%B3%A0%EB%A9%B4&n=${number}${id}&idsite=1 HTTP/1.1`
  // A second _id where it does not count.
  const referer = `https://shop.example/p?a=1&_id=ffffffffffffffff#${number % 7}`
  const tail = `"-" ${number.toString(16).padStart(32, '0')} 1795341600.${String(number % 1000).padStart(3, '0')} "-"`
  return `192.0.2.${visitor % 250} - - [22/Nov/2026:10:00:00 +0000] "${request}" 204 0 "${referer}" "Mozilla/5.0 (X11)" ${tail}`
}

/** The number of a line that `EdgeLog.grow` wrote. */
export function numberOfLine(line: string): number {
  return Number(/[?&]n=(\d+)/.exec(line)?.[1])
}
