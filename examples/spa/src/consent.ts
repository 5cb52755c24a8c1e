import type { ConsentState } from '@headwater/sdk'

/** The visitor's answer, the only thing this shop keeps of somebody who says no. */
const KEY = 'shop-consent'

/** `pending` until the visitor has answered. */
export function readConsent(): ConsentState {
  try {
    const answer = localStorage.getItem(KEY)
    return answer === 'granted' || answer === 'denied' ? answer : 'pending'
  } catch {
    return 'pending' // storage is refused: ask again on every visit
  }
}

export function keepConsent(answer: 'granted' | 'denied'): void {
  try {
    localStorage.setItem(KEY, answer)
  } catch {}
}
