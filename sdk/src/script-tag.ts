/**
 * What `<script async src="https://collect.example.com/headwater.js" data-site-id="1">` runs. The tracker is then
 * `window.headwater`. Every option of `createTracker` that is a text, a number or a switch is an attribute too:
 * `data-consent="pending"`, `data-cookieless`, `data-auto-pageview="false"`. `data-endpoint`: default the script's origin.
 */
import { browserPorts } from './browser/browser-ports.ts'
import type { TrackerOptions } from './options.ts'
import { startTracker, type Tracker } from './tracker.ts'

const page = window as unknown as Record<string, Tracker | undefined>
/** `data-debug` and `data-debug="true"` switch on, `"false"` switches off; anything else is itself. */
const switches: Record<string, boolean> = { '': true, true: true, false: false }

try {
  const script = (document.currentScript || document.querySelector('script[data-site-id]')) as HTMLScriptElement
  const given = Object.entries(script.dataset).map(([name, value]) => [name, switches[value!] ?? value])
  const options: TrackerOptions = { endpoint: new URL(script.src).origin, ...Object.fromEntries(given) }
  // The same tag twice, as templates happen to print it, is one tracker: nothing is counted twice.
  const key = `_hw ${options.endpoint} ${options.siteId}`
  page[key] ??= startTracker(options, browserPorts())
  page.headwater ??= page[key]
} catch {}
