import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import manifest from '../package.json' with { type: 'json' }

const folder = fileURLToPath(new URL('..', import.meta.url))
const tool = (name: string): string => fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url))
const run = (name: string, ...args: string[]): string =>
  execFileSync(tool(name), args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

// `npm test` builds first.
describe.skipIf(!existsSync(new URL('../dist/index.js', import.meta.url)))('The package', () => {
  it.skipIf(!existsSync(tool('publint')))('is what publint expects', () => {
    expect(run('publint', 'run', '--strict')).toContain('All good')
  })

  it.skipIf(!existsSync(tool('attw')))(
    'has types that resolve, says attw',
    () => {
      // Throws with what attw prints when it finds a fault. ESM only: CommonJS is left out on purpose.
      run('attw', '--pack', '.', '--profile', 'esm-only')
    },
    60_000,
  )

  it('can be imported where there is no page, every part of it', async () => {
    for (const entry of Object.values(manifest.exports))
      if (typeof entry !== 'string') await import(new URL(`../${entry.default}`, import.meta.url).href)
  })
})
