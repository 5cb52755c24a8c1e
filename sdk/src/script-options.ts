import type { TrackerOptions } from './options.ts'

/**
 * The options of a script tag: each option of `createTracker` that is a text, a number or a switch is an attribute,
 * `data-auto-pageview="false"`. The endpoint is the script's origin unless `data-endpoint` says otherwise.
 */
export function scriptOptions({ src, dataset }: HTMLScriptElement): TrackerOptions {
  const options: TrackerOptions & Record<string, unknown> = { endpoint: new URL(src).origin }
  // `data-debug` switches on, `data-debug="false"` off; "true" is as good as true.
  for (const name of Object.keys(dataset)) options[name] = dataset[name] !== 'false' && (dataset[name] || true)
  return options
}
