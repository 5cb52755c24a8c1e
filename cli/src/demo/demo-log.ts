import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { formatTimeLocal } from '@headwater/core'
import { dayRhythm } from './day-rhythm.ts'
import { type DemoEvent, demoTarget } from './demo-event.ts'
import { DemoRandom } from './demo-random.ts'
import { DemoTraffic, type DemoTrafficOptions } from './demo-traffic.ts'
import { REFERER } from './demo-visitor.ts'

export interface DemoLogOptions extends Omit<DemoTrafficOptions, 'timing'> {
  /** Events, one line each. */
  lines: number
  /** Time of the first line, Unix ms. */
  startMs: number
  /** The lines lie within this time. */
  spanMs: number
}

/**
 * The log lines that the gateway would have written for simulated visitors, in order of time, without newlines; to be asked
 * for `options.lines` times.
 */
export function demoLines(options: DemoLogOptions): () => string {
  const traffic = new DemoTraffic({ ...options, timing: 'own' })
  const requestIds = new DemoRandom(~options.seed)
  const slot = dayRhythm(options.startMs, options.spanMs, options.lines)
  let index = 0
  return () => demoLine(traffic.next(slot(index++)), requestIds.hex(32))
}

/** Format `headwater`, byte for byte (see docs/reference/wire.md); nothing in these texts needs NGINX's escaping. */
function demoLine(event: DemoEvent, requestId: string): string {
  const { at, visitor, leaving } = event
  const ms = Math.floor(at)
  const second = Math.floor(ms / 1000)
  const thousandths = ms - second * 1000
  return (
    `${visitor.ip} - - [${formatTimeLocal(ms)}] "${leaving ? 'POST' : 'GET'} ${demoTarget(event)} HTTP/1.1" 204 0 ` +
    `"${REFERER}" "${visitor.device.userAgent}" "-" ${requestId} ` +
    `${second}.${thousandths < 10 ? '00' : thousandths < 100 ? '0' : ''}${thousandths} "-"`
  )
}

const WRITE_BYTES = 512 * 1024
/** Longer than any line made here. */
const MAX_LINE_BYTES = 8 * 1024

/** Writes them to a new file (`-`: standard output). Rejects, as `open` does, when the file exists. Yields lines written. */
export function* writeDemoLog(file: string, options: DemoLogOptions): Generator<number> {
  const out = file === '-' ? 1 : openSync(file, 'wx')
  try {
    const bytes = Buffer.allocUnsafe(WRITE_BYTES)
    let used = 0
    const next = demoLines(options)
    for (let written = 1; written <= options.lines; written++) {
      // ASCII: a character is a byte.
      used += bytes.write(next(), used, 'latin1')
      bytes[used++] = 0x0a
      if (used > WRITE_BYTES - MAX_LINE_BYTES) {
        writeAll(out, bytes.subarray(0, used))
        used = 0
        yield written
      }
    }
    writeAll(out, bytes.subarray(0, used))
    if (out !== 1) fsyncSync(out)
    yield options.lines
  } finally {
    if (out !== 1) closeSync(out)
  }
}

/** A pipe may take a part, or be full for the moment. */
function writeAll(out: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(out, bytes, at)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(PAUSE, 0, 0, 5)
    }
  }
}

const PAUSE = new Int32Array(new SharedArrayBuffer(4))
