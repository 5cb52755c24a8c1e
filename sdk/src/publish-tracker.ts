import type { Tracker } from './tracker.ts'

type Call = [method: keyof Tracker, args: unknown[]]

/** `q` is what the stub leaves there: the calls made before the script came. */
const page = window as unknown as { headwater?: Tracker & { q?: Call[] } } & Record<string, Tracker | undefined>

/**
 * Makes the page's tracker known as `window.headwater` and gives it the calls that the stub has kept. `key` says which it
 * is: the same tag twice, as templates happen to print it, is one tracker, and nothing is counted twice.
 */
export function publishTracker(key: string, start: () => Tracker): void {
  page[key] ??= start()
  const tracker = page[key] as Tracker
  page.headwater ??= tracker
  const { q: early } = page.headwater
  if (early) {
    // The stub's object comes to life itself, for others may hold it.
    Object.assign(page.headwater, tracker)
    // An old stub may know methods that are gone.
    for (const [method, args] of early.splice(0))
      (tracker[method] as ((...args: unknown[]) => void) | undefined)?.(...args)
  }
}
