/**
 * `stub.js`, to be pasted into the page in front of the script tag, so that `headwater.event(…)` may be called before the
 * script has come. Calls are kept in `headwater.q`, and made when it comes.
 */
interface Stub {
  q: [method: string, args: unknown[]][]
  [method: string]: unknown
}

const page = window as unknown as { headwater?: Stub }

if (!page.headwater) {
  const stub: Stub = { q: [] }
  page.headwater = stub
  for (const method of ['pageview', 'event', 'track', 'setMember', 'consent'])
    stub[method] = (...args: unknown[]) => {
      stub.q.push([method, args])
    }
}
