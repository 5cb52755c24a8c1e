import { setTimeout as pause } from 'node:timers/promises'

/** Asks `look` until it gives something; rejects with what it waited for when that takes longer than `timeoutMs`. */
export async function until<T>(what: string, look: () => Promise<T | undefined>, timeoutMs = 20_000): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`)
    await pause(10)
  }
}
