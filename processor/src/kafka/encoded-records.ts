import type { Message } from 'kafkajs'

/** What kafkajs's encoders are, for those who write them into another one. */
interface Encoded {
  buf: Buffer
  buffer: Buffer
}

/**
 * Records that are encoded and compressed already, for `producer.send`: what kafkajs 2.2.4 asks of its `messages`, and no more,
 * so that another release which asks for something else fails at once.
 *
 *   find       is there a message without a value?
 *   reduce     group them by partition: this is the group, as it is
 *   length     how far the sequence number goes on, records in the batch
 *   map        their timestamps; then their encoders, whose bytes are joined and given to the codec (`gzip-codec.ts`)
 *
 * Everything else remains the client's: connections, TLS, login, leaders, producer id, epoch, sequence numbers, the batch's
 * head with its checksum, what is tried again.
 */
export class EncodedRecords implements Pick<Message[], 'length' | 'find' | 'map'> {
  readonly length: number
  readonly #partition: number
  readonly #encoded: Encoded
  readonly #first: Message

  /** `compressed`: `length` records out of `encodeRecords`, in gzip. `timestamp`: Unix ms, of all of them. */
  constructor(partition: number, compressed: Buffer, length: number, timestamp: number) {
    this.#partition = partition
    this.#encoded = { buf: compressed, buffer: compressed }
    this.length = length
    this.#first = { value: null, timestamp: String(timestamp) }
  }

  /** As the array that `send` declares. */
  asMessages(): Message[] {
    return this as unknown as Message[]
  }

  find(): undefined {
    return undefined
  }

  reduce(): Record<number, EncodedRecords> {
    return { [this.#partition]: this }
  }

  map<T>(make: (message: Message, index: number, all: Message[]) => T): T[] {
    const made = make(this.#first, 0, this.asMessages())
    // As long as there are records; what is joined or sorted afterwards passes over the places that are empty.
    const all = new Array<T>(this.length)
    all[0] = typeof made === 'object' ? (this.#encoded as T) : made
    return all
  }
}
