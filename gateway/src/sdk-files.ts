import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Answer, makeAnswer } from './answer.ts'

/** One file of the SDK: the file itself, and the answer to who has it already. */
export interface SdkFile {
  etag: string
  whole: Answer
  notModified: Answer
}

/** Paths as they are asked for, `/headwater.js`, to files. */
export type SdkFiles = ReadonlyMap<string, SdkFile>

/** `headwater.js`, its smaller and helping forms, and `…-<version>.js`, which never changes once it is out. */
const NAME = /^headwater(?:-core|-preview)?(-\d[\w.-]*)?\.js(\.map)?$/

/** Names under which a site that moves from Matomo asks for the script: it then changes its tracker's address only. */
const MATOMO_NAMES = ['/matomo.js', '/piwik.js']

/**
 * Reads the SDK's files from a folder; none when `folder` is undefined or does not exist (the answer is then a 404 with a
 * sentence). They are read once: a new build is served after a restart.
 */
export function readSdkFiles(folder: string | undefined): SdkFiles {
  const files = new Map<string, SdkFile>()
  if (folder === undefined) return files
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return files
    throw error
  }
  for (const name of names) {
    const match = NAME.exec(name)
    if (match === null) continue
    const content = readFileSync(join(folder, name))
    const etag = `W/"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`
    // One hour: long enough that a visit loads it once, short enough that a fix reaches every page the same day.
    const cache = match[1] === undefined ? 'public, max-age=3600' : 'public, max-age=31536000, immutable'
    const headers = ['ETag', etag, 'Cache-Control', cache, 'Cross-Origin-Resource-Policy', 'cross-origin']
    const type = match[2] === undefined ? 'text/javascript; charset=utf-8' : 'application/json'
    files.set(`/${name}`, {
      etag,
      whole: makeAnswer(200, ['Content-Type', type, 'X-Content-Type-Options', 'nosniff', ...headers], content),
      notModified: makeAnswer(304, headers),
    })
  }
  const whole = files.get('/headwater.js')
  if (whole !== undefined) for (const name of MATOMO_NAMES) files.set(name, whole)
  return files
}

/** Whether a path is one that `readSdkFiles` would serve if the file were there. */
export function isSdkPath(path: string): boolean {
  return MATOMO_NAMES.includes(path) || (path.startsWith('/headwater') && NAME.test(path.slice(1)))
}

/** What to answer to a GET of `file`. `ifNoneMatch`: the header, if sent; a list, or `*`. */
export function sdkAnswer(file: SdkFile, ifNoneMatch: string | undefined): Answer {
  if (ifNoneMatch === undefined || ifNoneMatch === '') return file.whole
  if (ifNoneMatch.trim() === '*') return file.notModified
  // Weak comparison (RFC 9110 §8.8.3.2): the prefix W/ does not matter.
  const opaque = file.etag.slice(2)
  for (const tag of ifNoneMatch.split(',')) {
    const trimmed = tag.trim()
    if ((trimmed.startsWith('W/') ? trimmed.slice(2) : trimmed) === opaque) return file.notModified
  }
  return file.whole
}
