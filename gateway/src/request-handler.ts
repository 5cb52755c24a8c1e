import { type ByteString, parseQuery } from '@headwater/core'
import { type AcceptOptions, acceptBeacon, type BeaconLine } from './accept-beacon.ts'
import { type Answer, DRAINING, LOG_UNWRITABLE, TOO_MANY } from './answer.ts'
import { anonymisedAddress, clientAddress, type TrustedProxies } from './client-address.ts'
import { countAnswer, type GatewayCounts } from './counts.ts'
import type { FrontRequest } from './front.ts'
import type { LineWriter } from './line-writer.ts'
import type { LogLines } from './log-line.ts'
import type { IpMode } from './options.ts'
import { type RateLimit, rateKey } from './rate-limit.ts'
import { remoteUser } from './remote-user.ts'
import type { SiteRules } from './site-rules.ts'
import type { VisitorCookie } from './visitor-cookie.ts'

/**
 * From a bulk's second line on, agent and referer are cut to this length: one request of 64 KiB of events and 32 KiB of
 * headers would else become 60 MB of log.
 */
const MAX_REPEATED_BYTES = 1024

export interface HandlerOptions extends AcceptOptions {
  trusted: TrustedProxies
  ipMode: IpMode
  perAddress: RateLimit | undefined
  perSite: RateLimit | undefined
  sites: SiteRules
  /** Undefined: the visitor's id is the SDK's alone. */
  visitorCookie: VisitorCookie | undefined
}

const INGEST = '/ingest'
/** Bucket of all events that are of no site we know: made-up ids must not get a bucket each. */
const NO_SITE = 'none'

/**
 * What happens to every request, whichever front end brought it: refuse, or accept, write, and answer when it is written.
 * `Waiting` is what the front end needs to send an answer.
 */
export class RequestHandler<Waiting> {
  readonly counts: GatewayCounts
  readonly #options: HandlerOptions
  readonly #lines: LogLines
  readonly #writer: LineWriter<Waiting>

  constructor(options: HandlerOptions, lines: LogLines, writer: LineWriter<Waiting>, counts: GatewayCounts) {
    this.#options = options
    this.#lines = lines
    this.#writer = writer
    this.counts = counts
  }

  /** Returns the answer to send now, or undefined: the writer delivers it to `waiting` when the lines are written. */
  handle(request: FrontRequest, waiting: Waiting): Answer | undefined {
    const { trusted, ipMode, perAddress, perSite, sites, visitorCookie } = this.#options
    if (request.late) return this.#answer(request, DRAINING)
    const now = Date.now()
    const client = clientAddress(request.peer, request.forwardedFor, trusted)
    if (perAddress !== undefined && !perAddress.allows(rateKey(client), now)) {
      this.counts.overAddressRate++
      return this.#answer(request, TOO_MANY)
    }

    if (visitorCookie?.isForget(request)) {
      const forgotten = visitorCookie.forgotten(request)
      countAnswer(this.counts, forgotten.status)
      return forgotten
    }

    const accepted = acceptBeacon(request, this.#options)
    const { invalid, cut } = accepted
    let { answer, lines } = accepted
    if (lines.length === 0) return this.#answer(request, answer)
    if (perSite !== undefined && !perSite.allows(String(this.#siteOf(request, lines[0]) ?? NO_SITE), now)) {
      this.counts.overSiteRate++
      return this.#answer(request, TOO_MANY)
    }
    if (sites.checkHosts) {
      lines = lines.filter(line => this.#isFromItsSite(request, line))
      // Answered as ever: the page can do nothing about it, and would send the same again.
      if (lines.length === 0) return this.#answer(request, answer)
    }
    if (!this.#writer.writable) return this.#answer(request, LOG_UNWRITABLE)

    if (visitorCookie !== undefined) {
      const known = visitorCookie.apply(request, lines, now)
      lines = known.lines
      answer = visitorCookie.answer(request, answer, known.set)
    }
    const visitor = {
      address: anonymisedAddress(client, ipMode),
      user: request.authorization === undefined ? undefined : remoteUser(request.authorization),
      referer: request.referer,
      userAgent: request.userAgent,
      // It holds the addresses that are not to be kept.
      forwardedFor: ipMode === 'full' ? request.forwardedFor : undefined,
    }
    let frame = this.#lines.frame(request, answer, visitor, now)
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i] as (typeof lines)[number]
      if (i === 1) {
        visitor.referer = shortened(visitor.referer)
        visitor.userAgent = shortened(visitor.userAgent)
        visitor.forwardedFor = shortened(visitor.forwardedFor)
        visitor.user = shortened(visitor.user)
        frame = this.#lines.frame(request, answer, visitor, now)
      }
      this.#writer.line(this.#lines.line(frame, line))
    }
    this.counts.lines += lines.length
    this.counts.invalid += invalid
    this.counts.cut += cut
    this.#writer.commit(waiting, answer)
    return undefined
  }

  /** The site of an event; of a bulk's first one, when the rate is asked. */
  #siteOf(request: FrontRequest, line: BeaconLine | undefined): number | undefined {
    return this.#options.sites.siteOf(line?.params ?? parseQuery(line?.query ?? '', false), request.path === INGEST)
  }

  #isFromItsSite(request: FrontRequest, line: BeaconLine): boolean {
    const { sites } = this.#options
    const params = line.params ?? parseQuery(line.query ?? '', false)
    const verdict = sites.verdict(sites.siteOf(params, request.path === INGEST), params, request)
    if (verdict === 'not_allowed') this.counts.hostNotAllowed++
    else if (verdict === 'missing') this.counts.hostMissing++
    return verdict === 'allowed'
  }

  #answer(request: FrontRequest, answer: Answer): Answer {
    countAnswer(this.counts, answer.status)
    return this.#options.visitorCookie?.answer(request, answer) ?? answer
  }
}

function shortened(bytes: ByteString | undefined): ByteString | undefined {
  return bytes !== undefined && bytes.length > MAX_REPEATED_BYTES ? bytes.slice(0, MAX_REPEATED_BYTES) : bytes
}
