import type { ByteString } from '@headwater/core'
import type { OrderKey } from '../ports.ts'

/*
 * The order key of a record of event-log, scenario-log and dead-letter: one header `k`, four decimal numbers in ASCII
 *
 *     generation "." input offset "." event index "." scenario id          e.g. 0.81723.0.5
 *
 * Text, because whoever looks into a topic with a console tool then sees it, and it is no longer than binary integers.
 */
export const ORDER_KEY_HEADER = 'k'
const DOT = 0x2e
const ZERO = 0x30

export function orderKeyText(generation: number, position: number, index: number, scenarioId: number): ByteString {
  return `${generation}.${position}.${index}.${scenarioId}`
}

/** `undefined` when the bytes are no order key. */
export function decodeOrderKey(bytes: Uint8Array): OrderKey | undefined {
  let generation = 0
  let position = 0
  let index = 0
  let value = 0
  let field = 0
  let digits = 0
  for (const byte of bytes) {
    if (byte === DOT) {
      if (digits === 0) return undefined
      if (field === 0) generation = value
      else if (field === 1) position = value
      else if (field === 2) index = value
      else return undefined
      field++
      value = 0
      digits = 0
      continue
    }
    const digit = byte - ZERO
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
    digits++
  }
  return field === 3 && digits > 0 ? { generation, position, index, scenarioId: value } : undefined
}
