import type { Clock } from '../ports.ts'

export const browserClock: Clock = {
  now: Date.now,
  later(task, ms) {
    const timer = setTimeout(task, ms)
    return () => clearTimeout(timer) as undefined
  },
}
