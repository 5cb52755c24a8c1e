import type { Page } from '../ports.ts'
import { listen } from './listen.ts'

/** Read once where it does not change. */
export function browserPage(): Page {
  return {
    url: () => location.href,
    title: () => document.title,
    referrer: document.referrer,
    resolution: `${screen.width}x${screen.height}`,
    cookiesEnabled: navigator.cookieEnabled,
    automated: navigator.webdriver,
    gpcSignal: (navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl,
    dntSignal: navigator.doNotTrack === '1',
    on: (name, handler) => listen(window, name, handler as unknown as (event: Event) => void),
  }
}
