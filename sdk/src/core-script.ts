/**
 * `headwater-core.js`: what the script tag loads where every byte counts. The tracker is then `window.headwater`. Without
 * rules, plugins and `_paq`, which `headwater.js` has.
 */
import { browserPorts } from './browser/browser-ports.ts'
import { publishTracker } from './publish-tracker.ts'
import { scriptOptions } from './script-options.ts'
import { startTracker } from './tracker.ts'

try {
  const script = document.currentScript || document.querySelector('script[data-site-id]')
  const options = scriptOptions(script as HTMLScriptElement)
  publishTracker(`_hw ${options.endpoint} ${options.siteId}`, () => startTracker(options, browserPorts()))
} catch {}
