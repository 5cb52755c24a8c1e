import { createRequire } from 'node:module'
import { type Collector, startCollector } from '@headwater/testkit'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { buildQuery } from '../../src/build-query.ts'
import { paramsOf } from '../received-events.ts'
import { matomoEvents, names } from './matomo-events.ts'

interface NodeTracker {
  on(name: 'error', listener: (error: unknown) => void): void
  track(options: Record<string, string>): void
}
const MatomoTracker = createRequire(import.meta.url)('matomo-tracker') as new (site: number, url: string) => NodeTracker

describe('What the published client matomo-tracker sends of the captured events', () => {
  let collector: Collector
  beforeAll(async () => {
    collector = await startCollector()
  })
  afterAll(() => collector?.close())

  it.each(names)('is what ours sends, in every parameter and character: %s', async name => {
    const events = matomoEvents(name)
    expect(events.length).toBeGreaterThan(0)
    for (const event of events) {
      collector.reset()
      const errors: unknown[] = []
      const client = new MatomoTracker(7, `${collector.origin}/matomo.php`)
      client.on('error', error => errors.push(error))
      client.track({ ...event })
      await vi.waitFor(() => expect(collector.received).toHaveLength(1), { timeout: 10_000, interval: 20 })
      const theirs = paramsOf(collector.received[0]!.target.split('?')[1]!)
      const given = Object.fromEntries(Object.entries(event).filter(([, value]) => value !== ''))
      expect(paramsOf(buildQuery(given))).toEqual(
        Object.fromEntries(Object.entries(theirs).filter(([, v]) => v !== '')),
      )
      expect(errors).toEqual([])
    }
  })
})
