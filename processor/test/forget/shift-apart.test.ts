import fc from 'fast-check'
import { expect, it } from 'vitest'
import { shiftApart } from '../../src/forget/shift-apart.ts'

const starts = fc.array(fc.nat(60), { maxLength: 12 })

it('finds the least shift that leaves no start where another one was', () => {
  fc.assert(
    fc.property(starts, starts, (mine, taken) => {
      const meets = (shift: number): boolean => mine.some(start => taken.includes(start + shift))
      const shift = shiftApart(mine, taken)
      expect(meets(shift)).toBe(false)
      for (let less = 0; less < shift; less++) expect(meets(less)).toBe(true)
    }),
  )
})
