import type { TrackedParams } from '../build-query.ts'
import { decoded } from '../decoded.ts'
import type { TrackerOptions } from '../options.ts'
import type { PluginHost, Watch } from '../plugin.ts'
import { productParams } from '../plugins/ecommerce.ts'
import { engagement } from '../plugins/engagement.ts'
import { errors } from '../plugins/errors.ts'
import { type LinkOptions, links } from '../plugins/links.ts'
import type { PageElement, Stop } from '../ports.ts'
import type { Tracker } from '../tracker.ts'
import { CONTENT_BLOCK, contentOf } from './content-block.ts'
import type { PaqMethods } from './paq-call.ts'

/** What the methods need beside the tracker. */
export interface PaqSurroundings {
  /** The tracker's own: `setTrackerUrl`, `setSiteId`, `disableCookies` change them while it runs. */
  options: TrackerOptions
  /** Whether the page's tracker is `_paq`'s alone: addresses are then Matomo's. */
  viaPaq: unknown
  /** All elements of the document that match. */
  elements(selector: string): Iterable<PageElement>
  visible(selector: string, seen: (element: PageElement) => void): Stop
}

/** Methods that report their arguments, and as what. */
const TRACKS = {
  trackEvent: 'e_c e_a e_n e_v',
  trackSiteSearch: 'search search_cat search_count',
  trackGoal: 'idgoal revenue',
  trackContentImpression: 'c_n c_p c_t',
  trackContentInteraction: 'c_i c_n c_p c_t',
  trackEcommerceCartUpdate: 'revenue',
  trackEcommerceOrder: 'ec_id revenue ec_st ec_tx ec_sh ec_dt',
}

/** Matomo remembers consent for 30 years when the page does not say how long. */
const CONSENT_HOURS = 30 * 365 * 24
const HEARTBEAT_SECONDS = 15

/** What a page passes as a list: an array, or a text like `pdf|zip`. */
const list = (given: string | readonly string[]): string[] => [given].flat().join('|').split('|')

/** What stands before the last slash of an address, and behind it; without the query. */
const URL_PARTS = /([^?]*)\/([^?]*)/
type UrlParts = [url: string, before: string, behind: string]

/** An object of no keys is no parameter. */
const json = (value: object): string => (Object.keys(value)[0] ? JSON.stringify(value) : '')

/**
 * Matomo's methods over a tracker, and what they do to each event. Names and meaning:
 * https://developer.matomo.org/api-reference/tracking-javascript; docs/reference/paq.md lists what is here and what is not.
 */
export function paqMethods(
  tracker: Tracker,
  host: PluginHost,
  { options, viaPaq, elements, visible }: PaqSurroundings,
): { methods: PaqMethods; watch: Watch } {
  const { cookies, page, clock } = host.ports
  const watches: Watch[] = []
  const plugged = new Set<string>()
  /** What the plain setters were given, by their names without `set`. */
  const state: Record<string, string | undefined> = {}
  const linkOptions: LinkOptions = {}
  const dimensions: TrackedParams = {}
  /** Custom variables, by the parameter of their scope. */
  const variables: Record<string, Record<string, [name: string, value: string]>> = {}
  let data: Record<string, unknown> = {}
  let product: TrackedParams = {}
  let appended: TrackedParams = {}
  let custom: object | undefined
  let cart: Record<string, unknown[]> = {}
  let scenarioId: string | undefined
  let agreed = false

  const track = (params: TrackedParams, more?: object): void => {
    custom = more
    tracker.track(params, { scenarioId, minor: !!params.ping })
    custom = undefined
  }
  const query = (text: string): TrackedParams => Object.fromEntries(new URLSearchParams(text))
  /** Decisions are kept in Matomo's cookies, so those made before the move stay in force; erased only where they were set. */
  const remember = (name: string, kept: boolean, hours?: number): void =>
    cookies.write(
      `mtm_${name}=${clock.now()};max-age=${kept ? (hours || CONSENT_HOURS) * 3600 : 0};path=/;SameSite=Lax${
        options.cookieDomain ? `;domain=${options.cookieDomain}` : ''
      }`,
    )
  const remembered = (name: string): boolean => cookies.read().includes(`mtm_${name}=`)
  const consent = (given: boolean): void => {
    agreed = given
    tracker.consent(given ? 'granted' : 'denied')
    remember('consent_removed', !given)
  }
  const decide = (given: boolean, hours?: number): void => {
    consent(given)
    remember('consent', given, hours)
    if (!given) remember('cookie_consent', given)
  }
  const allowCookies = (allowed: boolean): void => {
    options.cookieless = !allowed
    if (!allowed) host.visitor.forget()
  }
  const content = (block: PageElement): TrackedParams => ({ ...contentOf(block, new URL(page.url()).origin), ca: 1 })
  const impressions = (blocks: Iterable<PageElement>): void => {
    for (const block of blocks) track(content(block))
    plug('content', () => {
      host.on('click', clicked => {
        const block = clicked.composedPath().find(element => element.matches?.(CONTENT_BLOCK))
        if (block) track({ c_i: 'click', ...content(block) })
      })
      return undefined
    })
  }
  /** Starts something once, however often the page asks. */
  const plug = (name: string, start: () => Watch | undefined): void => {
    if (plugged.has(name)) return
    plugged.add(name)
    const watch = start()
    if (watch) watches.push(host.safely(watch))
  }

  const methods: PaqMethods = {
    trackPageView(given, more) {
      custom = more
      tracker.pageview({ title: given || state.DocumentTitle, scenarioId: scenarioId! })
      custom = undefined
    },
    trackLink: (address, kind, more) => track({ [kind]: address }, more),
    trackRequest: (text, more) => track(query(text), more),
    queueRequest: (text, more) => track(query(text), more),
    trackAllContentImpressions: () => impressions(elements(CONTENT_BLOCK)),
    trackVisibleContentImpressions: () =>
      plug('visible', () => {
        host.stops.push(visible(CONTENT_BLOCK, block => impressions([block])))
        return undefined
      }),
    setEcommerceView(...view) {
      product = productParams(...(view as Parameters<typeof productParams>))
    },
    addEcommerceItem(sku, name = '', category = '', price = 0, quantity = 1) {
      cart[sku] = [sku, name, category, price, quantity]
    },
    removeEcommerceItem(sku) {
      delete cart[sku]
    },
    clearEcommerceCart() {
      cart = {}
    },
    enableLinkTracking: () => plug('links', () => links(linkOptions)(own, host)),
    enableHeartBeatTimer: (seconds = HEARTBEAT_SECONDS) =>
      plug('heartbeat', () => engagement({ minMs: seconds * 1000 })(own, host)),
    enableJSErrorTracking: () => plug('errors', () => errors()(own, host)),
    setDownloadExtensions(given) {
      linkOptions.extensions = list(given)
    },
    setDomains(given) {
      linkOptions.domains = list(given)
    },
    setTrackerUrl(given) {
      // `//host/matomo.php`, `https://host/5` (a scenario), `/path/`: the collector, and perhaps a scenario.
      ;[, options.endpoint, scenarioId] = URL_PARTS.exec(new URL(given, page.url()).href) as unknown as UrlParts
    },
    setCookieDomain(given) {
      options.cookieDomain = given.replace(/^\W+/, '')
    },
    setSiteId(given) {
      options.siteId = given
    },
    setCustomDimension(id, value) {
      dimensions[`dimension${id}`] = value
    },
    setCustomVariable(index, name, value, scope = 'visit') {
      // _cvar, cvar, e_cvar
      const param = `${{ v: '_', e: 'e_' }[scope[0] as string] ?? ''}cvar`
      variables[param] = { ...variables[param], [index]: [name, `${value}`] }
    },
    setCustomData(given, value) {
      // A text is one key.
      data = given.slice ? { ...data, [given]: value } : given
    },
    appendToTrackingUrl(text) {
      appended = query(text)
    },
    requireConsent() {
      if (remembered('consent')) agreed = true
      else if (!agreed) tracker.consent('pending')
    },
    setConsentGiven: () => consent(true),
    rememberConsentGiven: hours => decide(true, hours),
    forgetConsentGiven: () => decide(false),
    optUserOut: () => decide(false),
    forgetUserOptOut: () => decide(true),
    isUserOptedOut: () => remembered('consent_removed'),
    disableCookies: () => allowCookies(false),
    requireCookieConsent: () => allowCookies(remembered('cookie_consent')),
    setCookieConsentGiven: () => allowCookies(true),
    rememberCookieConsentGiven(hours) {
      allowCookies(true)
      remember('cookie_consent', true, hours)
    },
    forgetCookieConsentGiven() {
      allowCookies(false)
      remember('cookie_consent', false)
    },
    setDoNotTrack(given) {
      // As in Matomo, no consent overrules it.
      if (given && page.dntSignal) {
        tracker.consent('denied')
        tracker.destroy()
      }
    },
    getVisitorId: () => (host.mayStore() ? host.visitor.identify({}) : ''),
  }
  for (const [name, text] of Object.entries(TRACKS))
    methods[name] = (...args) => {
      const names = text.split(' ')
      const params: TrackedParams = Object.fromEntries(names.map((param, i) => [param, args[i]]))
      if ('revenue' in params) {
        params.idgoal ??= 0
        if (!params.idgoal) params.ec_items = JSON.stringify(Object.values(cart))
      }
      if (params.ec_id) cart = {}
      if (/^._/.test(text)) params.ca = 1
      if (args[0] || args[0] === 0) track(params, args[names.length])
    }
  for (const name of ['DocumentTitle', 'CustomUrl', 'ReferrerUrl', 'UserId'])
    methods[`set${name}`] = given => {
      state[name] = given
    }
  /** What our plugins take for the tracker. */
  const own = {
    ...tracker,
    track: (params: TrackedParams) => track(params),
    event: methods.trackEvent,
  } as unknown as Tracker

  const watch: Watch = (moment, params) => {
    if (moment === 'event') {
      const { CustomUrl, ReferrerUrl, UserId } = state
      if (CustomUrl) params.url = new URL(CustomUrl, page.url()).href
      params.urlref = ReferrerUrl ?? (viaPaq ? page.referrer : params.urlref)
      // As Matomo does.
      if (viaPaq)
        for (const name of ['url', 'urlref', 'link', 'download']) if (params[name]) params[name] = decoded(params[name])
      const all: TrackedParams = {
        uid: host.signals.includes('cookieless') ? '' : UserId,
        ...dimensions,
        ...product,
        data: json(data),
        consent: agreed && 1,
        ...appended,
        ...custom,
      }
      for (const name in variables) all[name] = json(variables[name]!)
      // What the event says itself counts more.
      for (const name in all) params[name] ??= all[name]
    }
    for (const one of watches) one(moment, params)
  }
  if (remembered('consent_removed')) tracker.consent('denied')
  return { methods, watch }
}
