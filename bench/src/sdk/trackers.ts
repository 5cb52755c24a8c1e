import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A tracker as its users load it, and the three things they do first. */
export interface Tracker {
  name: string
  /** Its code as a classic script. */
  source: string
  /** Starts it and reports the page view, unless loading did. `$COLLECTOR` stands for the collector's origin. */
  init: string
  /** Reports one event. */
  event: string
}

const own = (name: string, file: string): Tracker => ({
  name,
  source: readFileSync(new URL(`../../../sdk/dist/${file}`, import.meta.url), 'utf8'),
  init: '',
  event: `headwater.event('shop', 'buy', 'shoes', { value: 3 })`,
})

/** Published trackers whose npm packages hold a file that browsers run as it is. */
const PEERS: readonly (Omit<Tracker, 'source'> & { file: string })[] = [
  {
    name: '@plausible-analytics/tracker',
    file: 'plausible.js',
    init: `peer.init({ domain: 'example.com', endpoint: '$COLLECTOR/api/event', captureOnLocalhost: true, logging: false })`,
    event: `peer.track('buy', { props: { name: 'shoes' } })`,
  },
  {
    name: '@openpanel/sdk',
    file: 'dist/index.js',
    init: `op = new peer.OpenPanel({ apiUrl: '$COLLECTOR', clientId: 'x' }); op.track('screen_view', { path: location.href })`,
    event: `void op.track('buy', { name: 'shoes' })`,
  },
  {
    name: 'swetrix',
    file: 'dist/swetrix.js',
    init: `swetrix.init('x', { apiURL: '$COLLECTOR/log', devMode: true }); swetrix.trackViews()`,
    event: `void swetrix.track({ ev: 'buy', meta: { name: 'shoes' } })`,
  },
  {
    name: '@snowplow/browser-tracker',
    file: 'dist/index.umd.min.js',
    init: `snowplowBrowserTracking.newTracker('sp', '$COLLECTOR', { appId: 'x' }); snowplowBrowserTracking.trackPageView()`,
    event: `snowplowBrowserTracking.trackStructEvent({ category: 'shop', action: 'buy', label: 'shoes', value: 3 })`,
  },
  {
    name: 'countly-sdk-web',
    file: 'lib/countly.min.js',
    init: `Countly.init({ app_key: 'x', url: '$COLLECTOR' }); Countly.track_sessions(); Countly.track_pageview()`,
    event: `Countly.add_event({ key: 'buy', count: 1, segmentation: { name: 'shoes' } })`,
  },
]

/**
 * Ours and those of the peers that are there. The peers are nobody's dependency: `folder` is where somebody has run
 * `npm i @plausible-analytics/tracker @openpanel/sdk swetrix @snowplow/browser-tracker countly-sdk-web`.
 */
export function trackers(folder: string | undefined): { found: Tracker[]; missing: string[] } {
  const found = [own('headwater core', 'headwater-core.js'), own('headwater full', 'headwater.js')]
  const missing: string[] = []
  for (const { name, file, ...calls } of PEERS) {
    const path = join(folder ?? '', 'node_modules', name)
    if (folder === undefined || !existsSync(join(path, file))) missing.push(name)
    else {
      const { version } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as { version: string }
      found.push({ name: `${name} ${version}`, source: classic(readFileSync(join(path, file), 'utf8')), ...calls })
    }
  }
  return { found, missing }
}

/** A module of one file as a classic script whose exports are `peer`. */
function classic(source: string): string {
  const exported = /export\s*\{([^}]*)\};?\s*$/
  const names = exported.exec(source)?.[1]
  if (names === undefined) return source
  const entries = names.split(',').map(one => one.trim().split(' as '))
  const object = entries.map(([local, name]) => `${name ?? local}: ${local}`).join(', ')
  return `(() => { ${source.replace(exported, '')}\nglobalThis.peer = { ${object} } })()`
}
