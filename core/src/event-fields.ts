import type { Event } from './event.ts'
import { PlainEvent } from './plain-event.ts'

/** Names a value of the event read last. */
export type FieldSlot = number

const TABLE_SIZE = 1024

/**
 * The values that scenarios ask of an event, each found once however many scenarios ask: the parameters by one pass over
 * the event's list, derived values when first asked for. Compiled scenarios that share an `EventFields` share the pass.
 * It holds the event read last until the next `read`.
 *
 * Looking a name up in a `Map` costs a hash of the whole name, for some 30 parameters of which few are wanted. So the
 * table here goes by length, first and last character: unwanted names are mostly told apart without being read whole.
 */
export class EventFields {
  /** Bucket → the slot tried first, −1 for none; `#next` chains the slots of one bucket. */
  readonly #table = new Int32Array(TABLE_SIZE).fill(-1)
  readonly #next: number[] = []
  readonly #names: (string | undefined)[] = []
  readonly #derive: (((event: Event) => string | undefined) | undefined)[] = []
  readonly #slots = new Map<string, FieldSlot>()
  /** `#values[slot]` is of the present event when `#readIn[slot]` is the present `#round`. */
  readonly #values: (string | undefined)[] = []
  readonly #readIn: number[] = []
  #round = 0
  #event: Event | undefined
  /** The event when it is a plain one: then `#values[slot]` is found when first asked for, at parameter `#index[slot]`. */
  #plain: PlainEvent | undefined
  readonly #index: number[] = []

  /** The slot of an event parameter. */
  param(name: string): FieldSlot {
    const known = this.#slots.get(`param ${name}`)
    if (known !== undefined) return known
    const slot = this.#add(`param ${name}`, name, undefined)
    const bucket = bucketOf(name)
    this.#next[slot] = this.#table[bucket] as number
    this.#table[bucket] = slot
    return slot
  }

  /** The slot of a value worked out from the event. `key` says which: the same key is the same value. */
  derived(key: string, derive: (event: Event) => string | undefined): FieldSlot {
    return this.#slots.get(`derived ${key}`) ?? this.#add(`derived ${key}`, undefined, derive)
  }

  /** Turns to an event: from now on `get` is about it. Of a repeated parameter the last value counts. */
  read(event: Event): void {
    this.#event = event
    this.#round++
    if (event instanceof PlainEvent) {
      this.#plain = event
      for (let i = event.from; i < event.to; i++) {
        const slot = this.#slotOf(event.names[i] as string)
        if (slot >= 0) this.#found(slot, undefined, i)
      }
      return
    }
    this.#plain = undefined
    const { params } = event
    for (let i = 0; i + 1 < params.length; i += 2) {
      const slot = this.#slotOf(params[i] as string)
      if (slot >= 0) this.#found(slot, params[i + 1], 0)
    }
  }

  /** The value in the event read last; `undefined` when it has none. */
  get(slot: FieldSlot): string | undefined {
    const derive = this.#derive[slot]
    if (this.#readIn[slot] === this.#round) {
      const value = this.#values[slot]
      if (value !== undefined || derive !== undefined || this.#plain === undefined) return value
      const late = this.#plain.valueAt(this.#index[slot] as number)
      this.#values[slot] = late
      return late
    }
    if (derive === undefined || this.#event === undefined) return undefined
    const value = derive(this.#event)
    this.#values[slot] = value
    this.#readIn[slot] = this.#round
    return value
  }

  /** Which parameter of the event read last the slot is, when that is a plain event and has it; else −1. */
  indexOf(slot: FieldSlot): number {
    return this.#plain !== undefined && this.#readIn[slot] === this.#round ? (this.#index[slot] as number) : -1
  }

  /** The slot of a parameter's name; −1 when nobody asks for it. */
  #slotOf(name: string): FieldSlot {
    let slot = this.#table[bucketOf(name)] as number
    while (slot >= 0 && this.#names[slot] !== name) slot = this.#next[slot] as number
    return slot
  }

  #found(slot: FieldSlot, value: string | undefined, index: number): void {
    this.#values[slot] = value
    this.#index[slot] = index
    this.#readIn[slot] = this.#round
  }

  #add(key: string, name: string | undefined, derive: ((event: Event) => string | undefined) | undefined): FieldSlot {
    const slot = this.#names.length
    this.#slots.set(key, slot)
    this.#names.push(name)
    this.#derive.push(derive)
    this.#next.push(-1)
    this.#values.push(undefined)
    this.#readIn.push(0)
    this.#index.push(0)
    return slot
  }
}

function bucketOf(name: string): number {
  const { length } = name
  if (length === 0) return 0
  return ((length * 31 + name.charCodeAt(0)) * 31 + name.charCodeAt(length - 1)) & (TABLE_SIZE - 1)
}
