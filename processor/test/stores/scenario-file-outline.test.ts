import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lineAndColumnIn, outlineScenarioFile } from '../../src/stores/scenario-file-outline.ts'

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('outlineScenarioFile', () => {
  it('finds every element of the list, whatever it is and however it is set', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue({ maxDepth: 4 })),
        fc.constantFrom(0, 2, '\t'),
        fc.boolean(),
        (list, indent, wrapped) => {
          const text = JSON.stringify(wrapped ? { a: [1], scenarios: list, b: {} } : list, null, indent)
          const outline = outlineScenarioFile(text)
          if ('message' in outline) throw new Error(outline.message)
          expect(outline.entries.map(({ from, to }) => JSON.parse(text.slice(from, to)))).toEqual(
            JSON.parse(JSON.stringify(list)),
          )
          expect(JSON.parse(text.slice(outline.list.from, outline.list.to))).toHaveLength(list.length)
        },
      ),
    )
  })

  it('finds a fault in a damaged list exactly when JSON.parse does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue({ maxDepth: 3 }), { minLength: 1 }),
        fc.nat(),
        fc.nat(4),
        fc.oneof(
          fc.string({ maxLength: 3 }),
          fc.constantFrom('', ',', '"', '\\', ']', '}', '0', '-', '1e', '\n', '\u2028'),
        ),
        (list, at, cut, put) => {
          const text = JSON.stringify(list)
          const place = at % text.length
          const damaged = text.slice(0, place) + put + text.slice(place + cut)
          const outline = outlineScenarioFile(damaged)
          if (parses(damaged) && Array.isArray(JSON.parse(damaged))) expect(outline).toHaveProperty('entries')
          else expect(outline).toHaveProperty('message')
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('counts lines and columns as editors do', () => {
    const place = lineAndColumnIn('a\r\nbc\n\nd\re')
    expect([0, 1, 3, 4, 5, 6, 7, 9].map(place)).toEqual(['1:1', '1:2', '2:1', '2:2', '2:3', '3:1', '4:1', '5:1'])
  })
})
