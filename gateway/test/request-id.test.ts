import { expect, it } from 'vitest'
import { requestIds } from '../src/request-id.ts'

it('Request ids are 32 hex digits and never repeat, within a process or between two', () => {
  const ids = new Set<string>()
  for (const next of [requestIds(), requestIds()])
    for (let i = 0; i < 50_000; i++) {
      const id = next()
      if (!/^[0-9a-f]{32}$/.test(id)) throw new Error(`not 32 hex digits: ${id}`)
      ids.add(id)
    }
  expect(ids.size).toBe(100_000)
})
