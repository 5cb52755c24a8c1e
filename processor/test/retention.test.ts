import { pino } from 'pino'
import { expect, test } from 'vitest'
import { runRetention } from '../src/retention.ts'

test('retention asks again and again for what is older than keepMs, whatever one of them fails with, until it is stopped', async () => {
  const stop = new AbortController()
  const asked: number[] = []
  const failing = { prune: () => Promise.reject(new Error('no permission')) }
  const working = {
    prune: async (before: number) => {
      asked.push(Date.now() - before)
      if (asked.length === 3) stop.abort()
      return [{ path: 'old', bytes: 1 }]
    },
  }
  const log = pino({ level: 'silent' })
  await runRetention({ prunables: [failing, working], keepMs: 60_000, everyMs: 1, log }, stop.signal)
  expect(asked).toHaveLength(3)
  for (const age of asked) expect(age).toBeGreaterThanOrEqual(60_000)
})
