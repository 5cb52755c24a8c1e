import { beaconTarget, pageOrigin } from '@headwater/core'
import type { BeaconLine, BeaconRequest } from './accept-beacon.ts'
import { ACCEPTED, type Answer, answerTo } from './answer.ts'
import { hostOf, type SiteRules } from './site-rules.ts'

/** 13 months from creation, as the SDK's own cookie; browsers cap cookies at 400 days anyway. */
const LIFETIME_SECONDS = 393 * 86_400

/** Never third party: a collector on another site than the page neither gets it nor sets it. */
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Lax'

const COOKIE = /(?:^|;\s*)_hw_id=([0-9a-f]{16})\.(\d{1,12})(?=;|$)/

/** Set by the SDK when the visitor has agreed to storage and the page has asked for this cookie. */
const ASKS = /(?:^|&)hw_ck=1(?:&|$)/
const VISITOR = /((?:^|&)_id=)([0-9a-f]{16})(?=&|$)/g
const IS_NEW = /((?:^|&)_idn=)1(?=&|$)/g

/** Takes the cookie back: what a page asks for when consent is withdrawn, as no script can erase it. */
const FORGET = '/forget'

/** A scheme, a host and perhaps a port: all that an `Origin` may be to be repeated in an answer. */
const PLAIN_ORIGIN = /^https?:\/\/[\w.:[\]-]{1,260}$/

/**
 * The visitor's id as a cookie that no script can read, for browsers that soon forget what scripts write (Safari: after 7
 * days). The collector then stands on the site's own domain, `collect.shop.example` for `shop.example`.
 *
 *     Cookie: _hw_id=<16 hex>.<created, Unix s>      an event with hw_ck=1 belongs to this visitor: its _id is replaced,
 *                                                    and _idn=1 becomes 0
 *     Set-Cookie: _hw_id=…; Max-Age=…; Path=/; Secure; HttpOnly; SameSite=Lax
 *                                                    where there was none: the event's own _id is kept
 *
 * Only for pages on the hosts that the sites list, and only for events that say `hw_ck=1`: `sendBeacon` and pictures bring
 * cookies along whether the visitor agreed or not. Answers to these pages name their origin in place of `*`, because a
 * browser takes no cookie from an answer for everybody. What the front end refuses by itself (408, 413) keeps `*`: to the
 * page that is no answer at all.
 */
export class VisitorCookie {
  readonly #sites: SiteRules

  constructor(sites: SiteRules) {
    this.#sites = sites
  }

  /** Whether the request asks for the cookie's end; it is no event. */
  isForget(request: BeaconRequest): boolean {
    return request.path === FORGET && (request.method === 'GET' || request.method === 'POST')
  }

  /** The lines as the cookie's visitor, and the cookie to set when there is none yet. */
  apply(
    request: BeaconRequest,
    lines: readonly BeaconLine[],
    now: number,
  ): { lines: readonly BeaconLine[]; set: string | undefined } {
    if (!lines.some(asks) || !this.#isFromOurPage(request)) return { lines, set: undefined }
    const known = COOKIE.exec(request.cookie ?? '')?.[1]
    if (known === undefined) return { lines, set: newCookie(lines, now) }
    const replaced = lines.map(line =>
      asks(line) ? { ...line, query: line.query?.replace(VISITOR, `$1${known}`).replace(IS_NEW, '$10') } : line,
    )
    return { lines: replaced, set: undefined }
  }

  /** The answer as this page may take it with credentials. Files stay as they are: caches hold them for everybody. */
  answer(request: BeaconRequest, answer: Answer, set?: string): Answer {
    if (beaconTarget(request.path) === undefined) return answer
    return this.#forPage(request, answer, set)
  }

  /** The answer to `isForget`. */
  forgotten(request: BeaconRequest): Answer {
    const set = this.#isFromOurPage(request) ? `_hw_id=; Max-Age=0; ${ATTRIBUTES}` : undefined
    return this.#forPage(request, ACCEPTED, set)
  }

  #forPage(request: BeaconRequest, answer: Answer, set: string | undefined): Answer {
    const { origin } = request
    const ours = origin !== undefined && PLAIN_ORIGIN.test(origin) && this.#sites.hasHost(hostOf(origin))
    // Without an Origin it is a page of the collector's own origin, which needs no leave to read the answer.
    return ours || set !== undefined ? answerTo(ours ? origin : undefined, answer, set) : answer
  }

  #isFromOurPage({ origin, referer }: BeaconRequest): boolean {
    return this.#sites.hasHost(hostOf(pageOrigin(origin, referer)))
  }
}

function asks({ query }: BeaconLine): boolean {
  return query !== undefined && ASKS.test(query)
}

/** A cookie with the id that the first event that asks brings; undefined when it brings none. */
function newCookie(lines: readonly BeaconLine[], now: number): string | undefined {
  const query = lines.find(asks)?.query ?? ''
  // Of several the last counts: the event's own stands behind the one in the URL.
  const id = [...query.matchAll(VISITOR)].at(-1)?.[2]
  return id && `_hw_id=${id}.${Math.floor(now / 1000)}; Max-Age=${LIFETIME_SECONDS}; ${ATTRIBUTES}`
}
