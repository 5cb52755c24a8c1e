import fc from 'fast-check'
import { Partitioners } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { keyPartition } from '../../src/ship/key-partition.ts'
import { visitorKey } from '../../src/ship/visitor-key.ts'

const line = (target: string, referer = '-') =>
  `192.0.2.1 - - [22/Nov/2026:10:00:00 +0000] "GET ${target} HTTP/1.1" 204 0 "${referer}" "agent" "-" - - "-"`

describe('the key of a line', () => {
  it.each([
    ['the visitor', line('/5?_id=0123456789abcdef'), '0123456789abcdef'],
    ['… behind other parameters', line('/5?e_c=a&x_id=1&_id=0123456789abcdef&_idn=1'), '0123456789abcdef'],
    ['… behind one that is none', line('/5?_id=zz&_id=0123456789abcdef'), '0123456789abcdef'],
    ['… of a request that is cut off', '192.0.2.1 - - [x] "GET /5?_id=0123456789abcdef', '0123456789abcdef'],
    ['the address where there is no visitor', line('/5?e_c=a'), '192.0.2.1'],
    ['… where it is too short', line('/5?_id=0123456789abcde'), '192.0.2.1'],
    ['… where it has other letters', line('/5?_id=0123456789ABCDEF'), '192.0.2.1'],
    ['… where it stands in the referer', line('/5', 'http://a/?_id=0123456789abcdef'), '192.0.2.1'],
    ['the first word of anything', 'Segmentation fault', 'Segmentation'],
    ['64 bytes of one long word', 'x'.repeat(1_000), 'x'.repeat(64)],
    ['the first word, whatever stands in it', '"&_id=0123456789abcdef', '"&_id=0123456789abcdef'],
    ['nothing of nothing', '', ''],
  ])('is %s', (_name, text, key) => {
    expect(visitorKey(text)).toBe(key)
  })

  it('is what the pattern of fluent.conf finds, in anything', () => {
    const pieces = ['"', ' ', '?', '&', '_id=', '0123456789abcdef', 'fedcba9876543210', '\\x22', 'GET /5', '\n', '\xe9']
    const soup = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 4 })), { maxLength: 30 })
    fc.assert(
      fc.property(soup, words => {
        const text = words.join('')
        const match = /^([^ ]{0,64})(?:[^"]*"[^"]*?[?&]_id=([0-9a-f]{16}))?/.exec(text)
        expect(visitorKey(text)).toBe(match?.[2] ?? match?.[1])
      }),
      { numRuns: 20_000 },
    )
  })
})

describe('the partition of a key', () => {
  it('is the one that kafkajs, and so Java, chooses', () => {
    const choose = Partitioners.DefaultPartitioner()
    const bytes = fc.uint8Array({ maxLength: 40 }).map(each => Buffer.from(each))
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 100 }), (key, partitions) => {
        const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => metadata(partitionId))
        const chosen = choose({ topic: 't', partitionMetadata, message: { key, value: null } })
        expect(keyPartition(key.toString('latin1'), partitions)).toBe(chosen)
      }),
      { numRuns: 2_000 },
    )
  })
})

function metadata(partitionId: number) {
  return { partitionErrorCode: 0, partitionId, leader: 1, replicas: [1], isr: [1] }
}
