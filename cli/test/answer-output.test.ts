import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

/** Without settings of whoever runs the tests. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HEADWATER_')))
const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url))

it.each([
  ['config', 'print'],
  ['query', '--csv', 'FROM range(1000000)'],
  ['query', '--json', 'FROM range(200000)'],
])('%s %s ends quietly when nobody reads on', async (...args) => {
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  const [said, [status]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  expect({ said, status }).toEqual({ said: '', status: 0 })
})

it.skipIf(!existsSync('/dev/full'))('an answer that cannot be written is said, and the status is 1', () => {
  for (const args of [
    ['config', 'print', '--json'],
    ['query', 'SELECT 1'],
  ]) {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
      env,
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
      encoding: 'utf8',
    })
    expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringMatching(/^The answer.*ENOSPC.*\n$/) })
  }
})

it.each(['0', '-1', 'abc', '1e9', ''])('query --timeout %j is refused', seconds => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, 'query', `--timeout=${seconds}`, 'SELECT 1'], {
    env,
    encoding: 'utf8',
  })
  expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining(`Found: ${seconds}.`) })
})
