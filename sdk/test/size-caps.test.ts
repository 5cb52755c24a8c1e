import { existsSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'

const at = (file: string): URL => new URL(`../${file}`, import.meta.url)
const { about, ...caps } = JSON.parse(readFileSync(at('size-caps.json'), 'utf8')) as Record<string, number | string>

// `npm test` builds first.
it.skipIf(!existsSync(at('dist/headwater.js'))).each(Object.entries(caps))(
  '%s is at most %i bytes, gzip -9',
  (file, cap) => {
    const bytes = gzipSync(readFileSync(at(file)), { level: 9 }).length
    console.info(`${file}: ${bytes} of ${cap} bytes (${about})`)
    expect(bytes).toBeLessThanOrEqual(cap as number)
  },
)
