import { Counters } from '@headwater/core'
import { describe, expect, it } from 'vitest'
import type { SinkPosition, StatsStore } from '../../src/ports.ts'

export interface StatsStoreSubject {
  store: StatsStore
  /** A second store on the same data, as another process or the next start would have it. */
  reopen(): StatsStore
}

function countersOf(events: number): Counters {
  const counters = new Counters()
  for (let i = 0; i < events; i++) {
    counters.add({ scenarioId: 5, judgingVersion: 2, success: i % 2 === 0 ? 1 : 0, date: 1.78e12 + i * 1000 })
  }
  return counters
}

function at(position: number): SinkPosition {
  return { position, order: { generation: 0, position: position * 300, index: 1, scenarioId: 5 } }
}

/** What every `StatsStore` must do. */
export function testStatsStore(name: string, options: { make: () => Promise<StatsStoreSubject> }): void {
  describe(`${name} as a StatsStore`, () => {
    it('has nothing before the first apply', async () => {
      const { store } = await options.make()
      expect(await store.load(0)).toBeUndefined()
    })

    it('gives back position, order key and counters, also after a restart', async () => {
      const { store, reopen } = await options.make()
      await store.apply(0, undefined, at(10), countersOf(10))
      for (const each of [store, reopen()]) {
        const loaded = await each.load(0)
        expect(loaded?.at).toEqual(at(10))
        expect(loaded?.counters.toJSON()).toEqual(countersOf(10).toJSON())
      }
    })

    it('keeps a position without an order key', async () => {
      const { store, reopen } = await options.make()
      await store.apply(0, undefined, { position: 0, order: undefined }, new Counters())
      expect((await reopen().load(0))?.at).toEqual({ position: 0, order: undefined })
    })

    it('replaces the whole state of the partition', async () => {
      const { store, reopen } = await options.make()
      await store.apply(0, undefined, at(10), countersOf(10))
      await store.apply(0, 10, at(25), countersOf(25))
      const loaded = await reopen().load(0)
      expect(loaded?.at).toEqual(at(25))
      expect(loaded?.counters.read()[0]?.total_count).toBe(25)
    })

    it.each([undefined, 9, 11])('refuses to apply from %s when it is at 10, and changes nothing', async from => {
      const { store, reopen } = await options.make()
      await store.apply(0, undefined, at(10), countersOf(10))
      await expect(store.apply(0, from, at(20), countersOf(20))).rejects.toMatchObject({ code: 'POSITION_MISMATCH' })
      expect((await reopen().load(0))?.at).toEqual(at(10))
    })

    it('refuses to apply from a position when it has none', async () => {
      const { store } = await options.make()
      await expect(store.apply(0, 0, at(20), countersOf(20))).rejects.toMatchObject({ code: 'POSITION_MISMATCH' })
      expect(await store.load(0)).toBeUndefined()
    })

    it('notices that another owner has written', async () => {
      const { store, reopen } = await options.make()
      await store.apply(0, undefined, at(10), countersOf(10))
      await reopen().apply(0, 10, at(12), countersOf(12))
      await expect(store.apply(0, 10, at(11), countersOf(11))).rejects.toMatchObject({ code: 'POSITION_MISMATCH' })
      expect((await store.load(0))?.at).toEqual(at(12))
    })

    it('keeps partitions apart', async () => {
      const { store, reopen } = await options.make()
      await store.apply(0, undefined, at(10), countersOf(10))
      await store.apply(3, undefined, at(4), countersOf(4))
      await store.apply(0, 10, at(11), countersOf(11))
      const again = reopen()
      expect((await again.load(0))?.at).toEqual(at(11))
      expect((await again.load(3))?.counters.read()[0]?.total_count).toBe(4)
    })

    it('stores what the counters were at the call, though counting goes on', async () => {
      const { store, reopen } = await options.make()
      const counters = countersOf(10)
      const applied = store.apply(0, undefined, at(10), counters)
      counters.add({ scenarioId: 5, judgingVersion: 2, success: 1, date: 1.78e12 })
      await applied
      expect((await reopen().load(0))?.counters.read()[0]?.total_count).toBe(10)
    })
  })
}
