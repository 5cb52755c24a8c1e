import type { TrackerOptions } from './options.ts'

/**
 * The options of a script tag: each option of `createTracker` that is a text, a number or a switch is an attribute,
 * `data-auto-pageview="false"`. The endpoint is the script's origin unless `data-endpoint` says otherwise.
 */
export function scriptOptions({ src, dataset }: HTMLScriptElement): TrackerOptions {
  // `data-debug` switches on, `data-debug="false"` off; "true" is as good as true.
  const given = Object.entries(dataset).map(([name, value]) => [name, value !== 'false' && (value || true)])
  return { endpoint: new URL(src).origin, ...Object.fromEntries(given) }
}
