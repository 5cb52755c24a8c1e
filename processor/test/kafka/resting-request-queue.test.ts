import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { letRequestQueuesRest } from '../../src/kafka/resting-request-queue.ts'

const RequestQueue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue')

/** A queue of one request in flight, and what was sent from it. */
function queueOfOne(): { queue: InstanceType<typeof RequestQueue>; sent: number[]; push(correlationId: number): void } {
  const logger = { debug: () => {}, warn: () => {} }
  const options = { maxInFlightRequests: 1, requestTimeout: 1_000, enforceRequestTimeout: false, clientId: 'test' }
  const queue = new RequestQueue({ ...options, broker: 'test', logger })
  const sent: number[] = []
  const push = (correlationId: number): void => {
    const entry = { correlationId, apiKey: 0, apiName: 'Test', apiVersion: 0, resolve: () => {}, reject: () => {} }
    queue.push({ entry, expectResponse: true, requestTimeout: 1_000, sendRequest: () => sent.push(correlationId) })
  }
  return { queue, sent, push }
}

test('a queue without waiting requests has no timer, and one with them sends them in order', async () => {
  letRequestQueuesRest()
  letRequestQueuesRest()
  const { queue, sent, push } = queueOfOne()
  push(1)
  push(2)
  push(3)
  expect(sent).toEqual([1])
  queue.fulfillRequest({ correlationId: 1, payload: Buffer.alloc(0), size: 0 })
  queue.fulfillRequest({ correlationId: 2, payload: Buffer.alloc(0), size: 0 })
  queue.fulfillRequest({ correlationId: 3, payload: Buffer.alloc(0), size: 0 })
  expect(sent).toEqual([1, 2, 3])
  await expect.poll(() => queue.throttleCheckTimeoutId).toBeNull()
})

test('a request that a broker wants later is sent later', async () => {
  letRequestQueuesRest()
  const { queue, sent, push } = queueOfOne()
  queue.maybeThrottle(30)
  push(1)
  expect(sent).toEqual([])
  await expect.poll(() => sent).toEqual([1])
  await expect.poll(() => queue.throttleCheckTimeoutId).toBeNull()
})
