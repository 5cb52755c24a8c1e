/** 64-bit hash of an event id: `out[0]` high half, `out[1]` low half. Not cryptographic. */
export function hashEventId(_eventId: string, _out: Uint32Array): void {
  throw new Error('to come')
}
