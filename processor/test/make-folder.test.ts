import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { makeFolder } from '../src/make-folder.ts'

it('A folder is made with all above it, may be there already, and ends with an error where none can be made', () => {
  const dir = mkdtempSync(join(tmpdir(), 'headwater-folder-'))
  try {
    const deep = join(dir, 'a', 'b', 'c')
    makeFolder(deep)
    makeFolder(deep)
    expect(statSync(deep).isDirectory()).toBe(true)
    writeFileSync(join(dir, 'file'), '')
    expect(() => makeFolder(join(dir, 'file'))).toThrow(/EEXIST/)
    expect(() => makeFolder(join(dir, 'file', 'below'))).toThrow(/ENOTDIR/)
    // Node's own `recursive` never comes back from here.
    expect(() => makeFolder('/proc/headwater/data')).toThrow()
  } finally {
    rmSync(dir, { recursive: true })
  }
})
