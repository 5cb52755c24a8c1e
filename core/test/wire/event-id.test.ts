import { hashEventId } from '@headwater/core'
import { describe, expect, test } from 'vitest'

function hash(id: string): string {
  const out = new Uint32Array(2)
  hashEventId(id, out)
  return [...out].map(half => half.toString(16).padStart(8, '0')).join('')
}

describe('hashEventId', () => {
  // Stored hashes are read by later versions: these must never change.
  test('gives the same hash in every version', () => {
    expect(['', 'a', 'ab', 'AAECAwQFBgcICQoLDA0ODw', 'p-access-4711', '고면'].map(hash)).toMatchInlineSnapshot(`
      [
        "ebb6c2283cd6e3f3",
        "aaa95179d5371b4d",
        "15eb70bc82532e4f",
        "c5ff4cb8a3e23507",
        "587ff12da3919be2",
        "a195c933782e9a99",
      ]
    `)
  })

  test('keeps ids apart that only count upwards, in 64 bits and about as well as chance in 32', () => {
    const high = new Set<number>()
    const low = new Set<number>()
    const both = new Set<string>()
    const out = new Uint32Array(2)
    const ids = 100_000
    for (let i = 0; i < ids; i++) {
      hashEventId(`p-access-${i * 331}`, out)
      high.add(out[0] as number)
      low.add(out[1] as number)
      both.add(`${out[0]} ${out[1]}`)
    }
    expect(both.size).toBe(ids)
    // Chance: ids² / 2³³ ≈ 1.2 collisions in each half.
    expect(ids - high.size).toBeLessThan(15)
    expect(ids - low.size).toBeLessThan(15)
  })

  test('changes about half of the bits with any character', () => {
    const id = 'AAECAwQFBgcICQoLDA0ODw'
    const before = BigInt(`0x${hash(id)}`)
    for (let i = 0; i < id.length; i++) {
      const changed = `${id.slice(0, i)}${id[i] === 'x' ? 'y' : 'x'}${id.slice(i + 1)}`
      const bits = (before ^ BigInt(`0x${hash(changed)}`)).toString(2).replaceAll('0', '').length
      expect(bits).toBeGreaterThan(12)
      expect(bits).toBeLessThan(52)
    }
  })
})
