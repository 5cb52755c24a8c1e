import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type TestFolder, testFolder } from './running-server.ts'

let folder: TestFolder
let file: string
beforeEach(() => {
  folder = testFolder()
  file = join(folder.dir, 'state', 'ports.json')
})
afterEach(() => folder.remove())

it('is there while the server answers, and not afterwards', async () => {
  const running = await folder.start()
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(running.ports)
  await running.stop()
  expect(existsSync(file)).toBe(false)
})

it('is not there when a start failed where a killed server had left one', async () => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, '{"gateway":1,"metrics":2}\n')
  await expect(folder.start(folder.dir, { HEADWATER_MEMBERS_FILE: '/nowhere/members.csv' })).rejects.toThrow()
  expect(existsSync(file)).toBe(false)
})
