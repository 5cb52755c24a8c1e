import type { Message } from 'kafkajs'

/**
 * Messages of one partition, for `producer.send`. kafkajs 2.2.4 groups what it gets by partition with a `reduce` that copies
 * the group for every further message: 3–6 µs a message at 1 500–3 000 of them, a third of what sending costs. Here the group
 * is known, and that `reduce` gives it. Everything else is the array as it is.
 */
export function onePartition(partition: number, messages: Message[]): Message[] {
  const group = { [partition]: messages }
  return Object.defineProperty([...messages], 'reduce', { value: () => group })
}
