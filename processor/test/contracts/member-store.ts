import { describe, expect, it } from 'vitest'
import type { MemberStore } from '../../src/ports.ts'

/** What the store under test must hold: members by id, with columns `age`, `gender` and `city`. */
export const CONTRACT_MEMBERS: Readonly<Record<string, Record<string, string>>> = {
  '123456': { age: '34', gender: 'MALE', city: 'Seoul' },
  '007': { age: '20', gender: 'FEMALE', city: '수원, "경기"' },
  'user@example.com': { gender: 'FEMALE' },
}

/** What every `MemberStore` must do. `make` gives a store that holds `CONTRACT_MEMBERS`. */
export function testMemberStore(name: string, options: { make: () => Promise<MemberStore> }): void {
  describe(`${name} as a MemberStore`, () => {
    it('gives the attributes of the members that exist, and leaves the others out', async () => {
      const store = await options.make()
      const found = await store.get(['123456', 'nobody', 'user@example.com', '007'])
      expect([...found.keys()].sort()).toEqual(['007', '123456', 'user@example.com'])
      for (const [id, member] of found) expect({ ...member }).toEqual(CONTRACT_MEMBERS[id])
    })

    it('takes ids as text: 7 is not 007', async () => {
      const store = await options.make()
      expect((await store.get(['7', ' 123456', '123456 '])).size).toBe(0)
    })

    it('answers an empty question and a repeated id', async () => {
      const store = await options.make()
      expect((await store.get([])).size).toBe(0)
      expect((await store.get(['123456', '123456'])).size).toBe(1)
    })

    it('says which attributes members have, the id not among them', async () => {
      const store = await options.make()
      expect(await store.columns()).toEqual(new Set(['age', 'gender', 'city']))
    })

    it('gives a missing attribute as undefined, whatever its name is', async () => {
      const store = await options.make()
      const member = (await store.get(['user@example.com'])).get('user@example.com')
      for (const attribute of ['age', 'constructor', 'toString', '__proto__'])
        expect(member?.[attribute]).toBeUndefined()
    })

    it('survives hostile ids', async () => {
      const store = await options.make()
      const ids = ['', '__proto__', 'constructor', "' OR 1=1 --", '%', '\0', '\ud800', 'x'.repeat(100_000)]
      expect((await store.get(ids)).size).toBe(0)
    })

    it('answers for thousands of ids at once', async () => {
      const store = await options.make()
      const ids = Array.from({ length: 5_000 }, (_, i) => `unknown-${i}`)
      expect([...(await store.get([...ids, '123456'])).keys()]).toEqual(['123456'])
    })
  })
}
