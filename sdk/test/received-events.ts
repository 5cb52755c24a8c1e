import { encodeUtf8, parseQuery } from '@headwater/core'
import type { Collector, ReceivedRequest } from '@headwater/testkit'

/** One event as the collector would read it. */
export interface ReceivedEvent {
  method: string
  path: string
  params: Record<string, string>
}

/** The events of a request, read by core as the edge does: from the query, from the body, or one by one from a bulk. */
export function eventsIn({ method, target, body }: ReceivedRequest): ReceivedEvent[] {
  const [path = '', query = ''] = target.split('?')
  const queries = body.startsWith('{')
    ? (JSON.parse(body) as { requests: string[] }).requests.map(request => request.slice(1))
    : [body || query]
  return queries.map(one => ({ method, path, params: paramsOf(one) }))
}

/** Every event that arrived, repeats (same `hw_id`) once. */
export function arrived(collector: Collector): ReceivedEvent[] {
  const byId = new Map(collector.received.flatMap(eventsIn).map(event => [event.params.hw_id, event]))
  return [...byId.values()]
}

/** Names and values of a query, decoded by core's own parser. */
export function paramsOf(query: string): Record<string, string> {
  const params = parseQuery(encodeUtf8(query), false)
  return Object.fromEntries(params.flatMap((name, i) => (i % 2 ? [] : [[name, params[i + 1]!]])))
}
