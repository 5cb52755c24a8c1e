import type { PageElement, Stop } from '../ports.ts'

/** Elements that come later are looked for this often. */
const LOOK_EVERY_MS = 1000

/** Calls with each element of `selector`, also those that come later, when half of it is first in view. */
export function watchVisible(selector: string, seen: (element: PageElement) => void): Stop {
  const known = new WeakSet<Element>()
  const viewed = new IntersectionObserver(
    entries => {
      for (const { isIntersecting, target } of entries)
        if (isIntersecting && !known.has(target)) {
          known.add(target)
          seen(target as PageElement)
        }
    },
    { threshold: 0.5 },
  )
  // Observing again what is observed does nothing.
  const look = (): void => {
    for (const element of document.querySelectorAll(selector)) viewed.observe(element)
  }
  // Throws here when the selector is none, not in the page once a second.
  look()
  const timer = setInterval(look, LOOK_EVERY_MS)
  return () => {
    clearInterval(timer)
    viewed.disconnect()
  }
}
