import fc from 'fast-check'
import type { OutgoingRecord } from '../../src/kafka/record-encoder.ts'

const text = (maxLength: number) => fc.uint8Array({ maxLength }).map(bytes => Buffer.from(bytes).toString('latin1'))
const bytes = fc.uint8Array({ maxLength: 9_000 }).map(some => Buffer.from(some))
const header = fc.record({ name: fc.constantFrom('k', 'cut', 'n'.repeat(70)), value: text(100) })

/** Any record: with and without key and header, its value as text or bytes, short and long. */
export const outgoingRecord: fc.Arbitrary<OutgoingRecord> = fc.record(
  { key: text(80), value: fc.oneof(text(300), bytes), header },
  { requiredKeys: ['value'] },
)
