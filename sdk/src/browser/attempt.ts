/** What `work` returns, or `undefined` when the browser refuses. */
export function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {}
  // Without a value: the minifier drops it, and TypeScript asks for it.
  return
}
