/**
 * `headwater.js`: what the script tag loads. The tracker is then `window.headwater`, the page's `_paq` is taken over, tag
 * rules in the page are obeyed, and `data-links`, `data-forms`, `data-scroll`, `data-engagement`, `data-errors` switch the
 * plugins on.
 */
import { allPlugins } from './all-plugins.ts'
import { browserPorts } from './browser/browser-ports.ts'
import { watchVisible } from './browser/watch-visible.ts'
import { paqMethods } from './paq/paq-methods.ts'
import { type PaqQueue, takeOverPaq } from './paq/take-over-paq.ts'
import type { Plugin } from './plugin.ts'
import { engagement } from './plugins/engagement.ts'
import { errors } from './plugins/errors.ts'
import { forms } from './plugins/forms.ts'
import { links } from './plugins/links.ts'
import { scroll } from './plugins/scroll.ts'
import type { PageElement } from './ports.ts'
import { publishTracker } from './publish-tracker.ts'
import { pageRules } from './rules/page-rules.ts'
import { type Preview, tagRules } from './rules/tag-rules.ts'
import { scriptOptions } from './script-options.ts'
import { startTracker } from './tracker.ts'

/** `headwaterPreview` comes from `headwater-preview.js`, where a page loads that too. */
const page = window as unknown as { _paq?: PaqQueue; headwaterPreview?: Preview }

try {
  const script = (document.currentScript || document.querySelector('script[data-site-id]')) as HTMLScriptElement
  const { siteId } = script.dataset
  const options = scriptOptions(script)
  const asked = (method: string): boolean => queue.some(call => call?.[0] === method)
  // Matomo's own object is no array: then Matomo is at work already, and is left alone.
  page._paq ??= []
  let queue = Array.isArray(page._paq) ? page._paq : []
  const viaPaq = !siteId && queue[0]
  // Our tag beside Matomo's snippet, which will come for its queue.
  if (siteId && asked('setTrackerUrl')) queue = []
  // Who reports page views by hand does not want them by themselves.
  if (viaPaq || asked('trackPageView')) options.autoPageview = options.spa = false

  publishTracker(`_hw ${options.endpoint} ${siteId}`, () => {
    let replay = (): void => {}
    const paq: Plugin = (tracker, host) => {
      const { methods, watch } = paqMethods(tracker, host, {
        options,
        viaPaq,
        elements: selector => document.querySelectorAll(selector) as unknown as Iterable<PageElement>,
        visible: watchVisible,
      })
      let used = false
      replay = takeOverPaq(queue, methods, host.warn, !viaPaq, () => {
        used = true
      })
      // A page that has no use for `_paq` does not pay for it with each event.
      return (...happened) => used && watch(...happened)
    }
    const parts = Object.entries({ links, forms, scroll, engagement, errors }).flatMap(([name, make]) =>
      (options as unknown as Record<string, unknown>)[name] ? make() : [],
    )
    const tracker = startTracker(
      options,
      browserPorts(),
      allPlugins([...parts, tagRules(pageRules(), { preview: (...told) => page.headwaterPreview?.(...told) }), paq]),
    )
    replay()
    return tracker
  })
} catch {}
