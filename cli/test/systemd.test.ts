import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serviceOrSkip } from '@headwater/testkit'
import { describe, expect, it } from 'vitest'

const unit = readFileSync(new URL('../../examples/systemd/headwater.service', import.meta.url), 'utf8')

function hasSystemd(): boolean {
  try {
    execFileSync('systemd-analyze', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe.skipIf(!serviceOrSkip('systemd-analyze', hasSystemd()))('the systemd unit', () => {
  it('has nothing that systemd finds fault with', () => {
    const folder = mkdtempSync(join(tmpdir(), 'headwater-unit-'))
    try {
      const file = join(folder, 'headwater.service')
      // Node is where it is, and the paths of an installation are not here.
      writeFileSync(file, unit.replace('/usr/bin/node', process.execPath).replace(/^Documentation=.*$/m, ''))
      const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' })
      const ours = `${stdout}${stderr}`.split('\n').filter(line => line.includes('headwater'))
      expect(ours).toEqual([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

it('the unit starts the command that there is, and lets it write its data folder', () => {
  expect(unit).toContain('/opt/headwater/cli/dist/main.js start --config ')
  expect(readFileSync(new URL('../bin/headwater.js', import.meta.url), 'utf8')).toContain("'../dist/main.js'")
  expect(/HEADWATER_DATA_DIR=\/var\/lib\/(\S+)/.exec(unit)?.[1]).toBe(/^StateDirectory=(\S+)$/m.exec(unit)?.[1])
})
