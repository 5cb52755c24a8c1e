import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Gives the whole run one temporary folder, removed at its end: thousands of generated cases leave nothing behind. What must
 * outlive it goes to HEADWATER_KEPT.
 */
export default function setup(): () => void {
  // Short, for sockets lie below it and a socket's path has at most 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), 'hw-'))
  process.env.HEADWATER_KEPT ??= join(tmpdir(), 'headwater-kept')
  process.env.TMPDIR = folder
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}
