import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { FolderInUseError, folderHolder, lockFolder } from '../src/folder-lock.ts'

const folder = () => mkdtempSync(join(tmpdir(), 'headwater-lock-'))

it('a second lock on a folder is refused, and says who holds it', () => {
  const dir = folder()
  const release = lockFolder(dir)
  expect(() => lockFolder(dir)).toThrow(FolderInUseError)
  expect(() => lockFolder(dir)).toThrow(String(process.pid))
  expect(folderHolder(dir)).toBe(process.pid)
  release()
  expect(folderHolder(dir)).toBeUndefined()
  lockFolder(dir)()
  expect(readdirSync(dir)).toEqual([])
})

it('the lock of a killed process is taken over', async () => {
  const dir = folder()
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'])
  await once(child, 'spawn')
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[19]
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  writeFileSync(join(dir, 'lock'), JSON.stringify({ format: 1, pid: child.pid, started: `${stat}@${boot}` }))
  expect(() => lockFolder(dir)).toThrow(FolderInUseError)
  child.kill('SIGKILL')
  await once(child, 'exit')
  lockFolder(dir)()
})

it('a lock of the same pid from another start or boot is taken over, as in a restarted container', () => {
  const dir = folder()
  writeFileSync(join(dir, 'lock'), JSON.stringify({ format: 1, pid: process.pid, started: '1@another boot' }))
  lockFolder(dir)()
  writeFileSync(join(dir, 'lock'), 'half a li')
  lockFolder(dir)()
  expect(readdirSync(dir)).toEqual([])
})
