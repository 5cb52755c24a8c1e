import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

  // Anything in front of it makes it a mere comment.
  it.each(['headwater.js', 'headwater-core.js'])('has the compile hint as the first line of %s', file => {
    expect(readFileSync(join(folder, 'dist', file), 'utf8')).toMatch(/^\/\/# allFunctionsCalledOnLoad\n/)
  })

  it('works in an empty project: modules, types and the script, without any other package', () => {
    const project = mkdtempSync(join(tmpdir(), 'headwater-sdk-'))
    const inProject = (command: string, ...args: string[]): string =>
      execFileSync(command, args, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    try {
      const parts = Object.keys(manifest.exports).filter(part => !/[*]|json$/.test(part))
      const imports = parts
        .map((part, i) => `import * as part${i} from '${part.replace('.', manifest.name)}'`)
        .join('\n')
      const used = parts.map((_part, i) => `part${i}`).join(', ')
      const code = `${imports}\nexport const parts: object[] = [${used}]\npart0.createTracker({ endpoint: 'https://collect.example' }).event('c', 'a')\n`
      writeFileSync(join(project, 'package.json'), '{"private":true,"type":"module"}')
      writeFileSync(join(project, 'use.ts'), code)
      const [packed] = JSON.parse(
        execFileSync('npm', ['pack', '--json', '--pack-destination', project], { cwd: folder, encoding: 'utf8' }),
      ) as [{ filename: string; files: { path: string }[] }]
      expect(packed.files.map(({ path }) => path).filter(path => /esm|tsbuildinfo|src\//.test(path))).toEqual([])
      inProject('npm', 'install', '--offline', '--no-audit', '--no-fund', packed.filename)
      const strict = [
        '--strict',
        '--noEmit',
        '--module',
        'nodenext',
        '--target',
        'es2022',
        '--lib',
        'es2022,dom,dom.iterable',
      ]
      inProject(tool('tsc'), ...strict, '--types', '', 'use.ts')
      writeFileSync(join(project, 'use.mjs'), code.replace(': object[]', ''))
      inProject(process.execPath, 'use.mjs')
      inProject(process.execPath, '--check', join('node_modules', manifest.name, 'dist/headwater.js'))
      expect(inProject('npm', 'ls', '--all', '--parseable').trim().split('\n')).toHaveLength(2)
    } finally {
      rmSync(project, { recursive: true })
    }
  }, 90_000)

  it('can be imported where there is no page, every part of it', async () => {
    for (const entry of Object.values(manifest.exports))
      if (typeof entry !== 'string') await import(new URL(`../${entry.default}`, import.meta.url).href)
  })
})
