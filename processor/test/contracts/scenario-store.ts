import type { Scenario } from '@headwater/core'
import { describe, expect, it } from 'vitest'
import type { ScenarioStore } from '../../src/ports.ts'

export interface ScenarioStoreSubject {
  /** Empty at first. */
  store: ScenarioStore
  /** A second store on the same data, as another process or the next start would have it. */
  reopen(): ScenarioStore
}

/** A valid scenario that no store has yet. */
export function newScenario(scenarioId: number, more: Partial<Scenario> = {}): Scenario {
  return {
    scenario_id: scenarioId,
    title: `scenario ${scenarioId}`,
    manager: 'admin_user',
    log_format: { memberId: 1 },
    filters: [{ left: 'age', operator: '>', right: '20' }],
    logical_operator: 'AND',
    enabled: true,
    site_id: null,
    timezone: null,
    version: 0,
    judging_version: 0,
    ...more,
  }
}

/** What every `ScenarioStore` must do. */
export function testScenarioStore(name: string, options: { make: () => Promise<ScenarioStoreSubject> }): void {
  describe(`${name} as a ScenarioStore`, () => {
    it('gives back what was saved, ordered by id, also after a restart', async () => {
      const { store, reopen } = await options.make()
      await store.save(newScenario(7, { enabled: false }))
      await store.save(newScenario(5, { title: '9시 이후 "구매"' }))
      for (const each of [store, reopen()]) {
        expect((await each.list()).map(scenario => [scenario.scenario_id, scenario.title, scenario.enabled])).toEqual([
          [5, '9시 이후 "구매"', true],
          [7, 'scenario 7', false],
        ])
        expect(await each.get(7)).toMatchObject({ scenario_id: 7 })
        expect(await each.get(8)).toBeUndefined()
        expect(each.faults()).toEqual([])
      }
    })

    it('begins with version 1 and raises it with every save', async () => {
      const { store } = await options.make()
      const first = await store.save(newScenario(5))
      expect(first).toMatchObject({ version: 1, judging_version: 1 })
      const second = await store.save({ ...first, title: 'another title' })
      expect(second).toMatchObject({ version: 2, judging_version: 1 })
      expect(await store.get(5)).toEqual(second)
    })

    it('raises judging_version only when what is judged changes', async () => {
      const { store, reopen } = await options.make()
      let scenario = await store.save(newScenario(5))
      scenario = await store.save({ ...scenario, log_format: { '*': 1 }, enabled: false })
      expect(scenario).toMatchObject({ version: 2, judging_version: 1 })
      scenario = await store.save({ ...scenario, filters: [] })
      expect(scenario).toMatchObject({ version: 3, judging_version: 2 })
      scenario = await reopen().save({ ...scenario, timezone: 'Asia/Seoul' })
      expect(scenario).toMatchObject({ version: 4, judging_version: 3 })
    })

    it('refuses a save that does not know the stored version', async () => {
      const { store, reopen } = await options.make()
      const first = await store.save(newScenario(5))
      await reopen().save({ ...first, title: 'by somebody else' })
      for (const version of [0, 1, 3]) {
        await expect(store.save({ ...first, version })).rejects.toMatchObject({ code: 'VERSION_OUTDATED' })
      }
      expect((await store.get(5))?.title).toBe('by somebody else')
    })

    it('lets one of two win who save the same version at the same time', async () => {
      const { store, reopen } = await options.make()
      const first = await store.save(newScenario(5))
      const results = await Promise.allSettled([
        store.save({ ...first, title: 'one' }),
        reopen().save({ ...first, title: 'other' }),
      ])
      expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    })

    it('loses none of many saves at the same time', async () => {
      const { store, reopen } = await options.make()
      const other = reopen()
      await Promise.all([1, 2, 3, 4, 5, 6].map(id => (id % 2 === 0 ? store : other).save(newScenario(id))))
      expect((await store.list()).map(scenario => scenario.scenario_id)).toEqual([1, 2, 3, 4, 5, 6])
    })

    it('refuses an invalid scenario with every fault, and changes nothing', async () => {
      const { store } = await options.make()
      const first = await store.save(newScenario(5))
      const bad = { ...first, title: '', filters: [{ left: 'age', operator: '=>', right: '20' }] }
      await expect(store.save(bad)).rejects.toThrow(/SCENARIO_INVALID: .*title.*filters/s)
      expect(await store.get(5)).toEqual(first)
    })

    it('never uses an id again after remove', async () => {
      const { store, reopen } = await options.make()
      await store.save(newScenario(5))
      await store.save(newScenario(6))
      await store.remove(5)
      expect((await store.list()).map(scenario => scenario.scenario_id)).toEqual([6])
      for (const each of [store, reopen()]) {
        expect(await each.removedIds()).toEqual(new Set([5]))
        await expect(each.save(newScenario(5))).rejects.toMatchObject({ code: 'SCENARIO_ID_USED' })
      }
    })

    it('calls back when somebody else has saved, until it is stopped', async () => {
      const { store, reopen } = await options.make()
      await store.save(newScenario(5))
      await store.list()
      const stop = new AbortController()
      const changed = new Promise<void>(resolve => store.watch(resolve, stop.signal))
      await reopen().save(newScenario(6))
      await changed
      stop.abort()
      expect(await store.list()).toHaveLength(2)
    })
  })
}
