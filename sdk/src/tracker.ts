import { buildQuery, type TrackedParams } from './build-query.ts'
import { declaredClick } from './declared-clicks.ts'
import { MAX_HELD } from './limits.ts'
import type { ConsentState, TrackerOptions } from './options.ts'
import { createOutbox } from './outbox.ts'
import { watchPageViews } from './page-views.ts'
import type { PluginMoment, PluginSet } from './plugin.ts'
import type { Moment, PageEvent, Ports, Stop } from './ports.ts'
import { randomTexts } from './random-ids.ts'
import { createStoredEvents } from './stored-events.ts'
import type { EventOptions, TrackOptions } from './tracked-event.ts'
import { VERSION } from './version.ts'
import { createVisitor } from './visitor.ts'

export interface PageviewOptions {
  /** Default: the document's title at this moment. */
  title?: string | undefined
  /** Default: the address. Stays in force for events until the next page view. */
  url?: string | undefined
  /** Default: the previous page of this application, else `document.referrer`. */
  referrer?: string | undefined
  /** Sends it to one scenario; else the site's scenarios judge it. */
  scenarioId?: number | string | undefined
}

/** No method ever throws, blocks or rejects: it lives in other people's pages. */
export interface Tracker {
  /** Reports a page view. Automatic ones come by themselves, also in single-page applications. */
  pageview(options?: PageviewOptions): void
  /** Reports something done. Without a category nothing is sent. */
  event(category: string, action: string, name?: string, options?: EventOptions): void
  /** Reports anything in Matomo's parameters: `{ search: 'shoes', search_count: 12 }`. Plugins are built on it. */
  track(params: Readonly<TrackedParams>, options?: TrackOptions): void
  /** Whom the following events belong to; `null` after signing out. Not sent in cookieless mode. */
  setMember(memberId: string | null | undefined): void
  consent(state: ConsentState): void
  /** Sends what waits. Resolves when all of it is answered, or cannot be delivered now. */
  flush(): Promise<void>
  /** Hands over what waits and lets go of the page. What is on its way and fails is still repeated. */
  destroy(): void
}

/** Stored events of earlier visits are looked for when the page has had time to start. */
const REPLAY_AFTER_MS = 1_000

/**
 * The tracker over its ports; `createTracker` brings the browser's. Without `plugins` their hooks vanish from the bundle.
 * `options` become the tracker's own: it trims the endpoint, and reads anew what may change (`_paq` changes it). Throws
 * when `options` or the page make no sense.
 */
export function startTracker(options: TrackerOptions, ports: Ports, plugins?: PluginSet): Tracker {
  const { clock, page, lifecycle } = ports
  const { gpc = 'cookieless', dnt, autoPageview = true, clicks = true, spa = true, debug } = options
  options.endpoint = options.endpoint.replace(/\/+$/, '')
  const signals = [page.gpcSignal && gpc, page.dntSignal && dnt]
  const cookieless = (): boolean | undefined => options.cookieless || signals.includes('cookieless')

  /** Not after `destroy`, nor ever where a signal switches off: no consent overrules that. */
  let live = !signals.includes('off')
  let consent = live ? (options.consent ?? 'granted') : 'denied'
  let member = options.memberId
  let sequence = 0
  let viewId = ''
  let viewUrl: string | undefined
  let viewReferrer = page.referrer
  /**
   * Events that are still to be written: when the page's own code has had its turn, for that is half of what one costs; after
   * consent, as whom they belong to may not be looked up before; when the page is seen.
   */
  let held: (() => void)[] = []
  let started = false

  const mayStore = (): boolean => !cookieless() && consent === 'granted'
  const stored = createStoredEvents(ports, mayStore)
  const outbox = createOutbox(ports, stored)
  const visitor = createVisitor(ports, mayStore, options)
  const random = randomTexts(ports.randomBytes)
  const pageLoadId = random(8)

  const warn = (what: unknown, detail?: unknown): void => {
    if (debug) console.warn('headwater:', what, detail ?? '')
  }

  /** Nothing of ours may stop the page's own code. */
  const safely =
    <Args extends unknown[]>(work: (...args: Args) => void) =>
    (...args: Args): void => {
      try {
        if (live) work(...args)
      } catch (error) {
        warn(error)
      }
    }

  const tell = (moment: PluginMoment, params: TrackedParams = {}): void => plugins?.watch(moment, params)
  const stops: Stop[] = []
  const on = (name: string, handler: (event: PageEvent) => void): void => {
    stops.push(page.on(name, safely(handler)))
  }

  /**
   * Names, order and encoding are Matomo's; ours (`hw_`) follow. Written out, because the minifier does not fold names
   * imported from core into the keys; a test holds them equal to `@headwater/core/names`.
   */
  const record = (own: Readonly<TrackedParams>, { scenarioId, memberId, urgent, minor }: TrackOptions = {}): void => {
    if (consent === 'denied') return
    const at = clock.now()
    const time = new Date(at)
    const id = random(22)
    const params: TrackedParams = {
      ...own,
      idsite: options.siteId ?? 1,
      rec: 1,
      h: time.getHours(),
      m: time.getMinutes(),
      s: time.getSeconds(),
      url: viewUrl ?? page.url(),
      urlref: viewReferrer,
      memberId: cookieless() ? '' : (memberId ?? member),
      _id: '',
      _idn: 0,
      send_image: 0,
      pv_id: viewId,
      cookie: +page.cookiesEnabled,
      res: page.resolution,
      hw_id: id,
      hw_pl: pageLoadId,
      hw_seq: ++sequence,
      hw_ts: at,
      hw_v: VERSION,
      hw_bot: page.automated && 1,
      // Again, for what is given counts more than what is found.
      ...own,
    }
    tell('event', params)
    const path = /^\d+$/.test(scenarioId as string) ? scenarioId : 'matomo.php'
    const target = `${options.endpoint}/${path}?_id=`
    // One that cannot be written, for its values throw, takes no other along.
    const finish = safely(() => {
      params.hw_ck = options.serverCookie && mayStore() && 1
      // The visitor before the query, of which it is a part.
      outbox.put(
        { id, target: target + visitor.identify(params), query: buildQuery(params), at, tries: 0, minor },
        urgent,
      )
    })
    if (!held[MAX_HELD - 1]) held.push(finish)
    if (urgent || held[MAX_HELD - 1] || !lifecycle.visible()) release()
    else if (!held[1]) clock.later(release, 0)
  }

  const release = (): void => {
    if (started && consent === 'granted') for (const finish of held.splice(0)) finish()
  }

  const pageview = ({ title, url, referrer, scenarioId }: PageviewOptions = {}): void => {
    tell('view')
    const urgent = !viewId
    viewId = random(6)
    viewUrl = url
    viewReferrer = referrer ?? views.seen()
    record({ action_name: title ?? page.title() }, { scenarioId, urgent })
  }

  const views = watchPageViews(
    ports,
    spa,
    safely(() => started && pageview()),
  )

  /** Everything waits until the page is seen: a background tab or a prerendered page may never be. */
  const arrive = (): void => {
    if (started || !lifecycle.visible()) return
    started = true
    if (autoPageview && !viewId) pageview()
    release()
    clock.later(safely(replay), REPLAY_AFTER_MS)
  }

  const replay = (): void => {
    if (!mayStore()) return
    ports.exclusively(() => {
      const events = stored.load(options.endpoint)
      for (const event of events) outbox.put({ ...event, tries: event.tries + 1 })
      return events[0] && outbox.flush()
    })
  }

  const turn = (moment: Moment): void => {
    if (moment === 'hide') {
      views.settle()
      tell(moment)
      release()
      outbox.hide()
    } else {
      if (moment === 'restore' && (spa || autoPageview)) pageview()
      tell(moment)
      arrive()
      outbox.show(moment === 'online')
    }
  }
  stops.push(...lifecycle.subscribe(safely(turn)), views.stop)
  if (clicks) on('click', clicked => event(...declaredClick(clicked.composedPath())))

  const event = (category: string, action: string, name?: string, more?: EventOptions): void => {
    if (category) record({ e_c: category, e_a: action, e_n: name, e_v: more?.value, ca: 1 }, more)
  }

  const tracker: Tracker = {
    pageview: safely(pageview),
    event: safely(event),
    track: safely(record),
    setMember: safely(memberId => {
      member = memberId
    }),
    consent: safely(state => {
      consent = state
      release()
      replay()
      if (state === 'denied') {
        held = []
        outbox.forget()
        stored.forget()
        visitor.forget()
      }
    }),
    flush() {
      release()
      return outbox.flush()
    },
    destroy: safely(() => {
      turn('hide')
      live = false
      for (const stop of stops) stop()
    }),
  }
  plugins?.start(tracker, { ports, visitor, signals, mayStore, on, stops, safely, warn })
  safely(arrive)()
  return tracker
}
