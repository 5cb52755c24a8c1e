import type { DemoVisitor } from './demo-visitor.ts'

/** One event as the SDK has it in its queue: what an attempt to send it adds is not in `query` yet. */
export interface DemoEvent {
  /** When it happened, Unix ms. */
  at: number
  /** Behind the slash: a scenario id, or `matomo.php`. */
  path: string
  /** Percent-encoded, in the SDK's order. */
  query: string
  visitor: DemoVisitor
  /** Sent by `sendBeacon` as the page was left: POST without a body, everything in the URL. */
  leaving: boolean
  /** Attempts before this one. */
  tries: number
  /** Seconds between the event and this attempt. */
  delaySeconds: number
}

/** What `event` or `pageview` of the SDK was called with, percent-encoded. */
export interface DemoAction {
  /** `action_name=…` or `e_c=…&e_a=…&…&ca=1` */
  own: string
  path: string
  leaving: boolean
}

/** The page load that an event belongs to; addresses percent-encoded. */
export interface DemoPageLoad {
  /** `hw_pl` */
  id: string
  /** `pv_id` */
  viewId: string
  encodedUrl: string
  encodedReferrer: string
  /** `hw_seq` of the last event. */
  sequence: number
}

/** What every query of the demo's site and SDK has. */
export interface DemoQueryOptions {
  siteId: number
  /** `hw_v` */
  sdkVersion: string
}

/**
 * The query that the SDK (`sdk/src/tracker.ts`, `record`) makes of an action: same names, same order, what is empty left
 * out. A test holds them equal.
 */
export function demoQuery(
  action: DemoAction,
  load: DemoPageLoad,
  visitor: DemoVisitor,
  eventId: string,
  isNew: boolean,
  at: number,
  options: DemoQueryOptions,
): string {
  const seconds = Math.floor(at / 1000) + visitor.zoneMinutes * 60
  const day = ((seconds % 86_400) + 86_400) % 86_400
  const { device, memberId } = visitor
  return (
    `${action.own}&idsite=${options.siteId}&rec=1&h=${Math.floor(day / 3600)}&m=${Math.floor(day / 60) % 60}&s=${day % 60}` +
    `&url=${load.encodedUrl}${load.encodedReferrer === '' ? '' : `&urlref=${load.encodedReferrer}`}` +
    `${memberId === undefined ? '' : `&memberId=${encodeURIComponent(memberId)}`}&_id=${visitor.id}&_idn=${isNew ? 1 : 0}` +
    `&send_image=0&pv_id=${load.viewId}&cookie=1&res=${device.resolution}&hw_id=${eventId}&hw_pl=${load.id}` +
    `&hw_seq=${load.sequence}&hw_ts=${at}&hw_v=${options.sdkVersion}${device.automated ? '&hw_bot=1' : ''}`
  )
}

/** The target of a request for an event: what follows the host. */
export function demoTarget({ path, query, tries, delaySeconds }: DemoEvent): string {
  return `/${path}?${query}&hw_try=${tries}${delaySeconds > 0 ? `&cdo=${delaySeconds}` : ''}`
}
