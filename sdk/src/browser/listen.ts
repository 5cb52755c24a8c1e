import type { Stop } from '../ports.ts'

/** Listens until stopped, in the capture phase: the page may stop an event on its way. */
export function listen(target: EventTarget, name: string, handler: (event: Event) => void): Stop {
  target.addEventListener(name, handler, true)
  return () => target.removeEventListener(name, handler, true)
}
