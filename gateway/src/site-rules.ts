import { type ByteString, getParam, type Params, pageOrigin, SITE_ID } from '@headwater/core'
import type { SiteRule } from './options.ts'

/** Whether a page's host may report: `missing` when neither `url` nor a header names one. */
export type HostVerdict = 'allowed' | 'not_allowed' | 'missing'

/** `*.shop.example` is the suffix `.shop.example`. */
interface HostList {
  exact: Set<string>
  suffixes: string[]
}

/**
 * Which pages may report for which site. It keeps foreign pages, copies of a site and mistakes in test systems out of the
 * figures; who forges requests can forge the page, too.
 *
 * An event is of the site its `idsite` names (`/ingest` has a default); an event of no site, or of one that lists no
 * hosts, is taken from everywhere. Its page is the parameter `url`, else the header `Origin`, else `Referer`.
 */
export class SiteRules {
  readonly #hosts = new Map<number, HostList>()
  readonly #known: Set<number>
  readonly #ingestSiteId: number

  constructor(sites: readonly SiteRule[], ingestSiteId: number) {
    this.#known = new Set(sites.map(site => site.id))
    this.#ingestSiteId = ingestSiteId
    for (const { id, hosts } of sites) {
      if (hosts.length === 0) continue
      const names = hosts.map(host => host.toLowerCase())
      this.#hosts.set(id, {
        exact: new Set(names.filter(name => !name.startsWith('*.'))),
        suffixes: names.filter(name => name.startsWith('*.')).map(name => name.slice(1)),
      })
    }
  }

  /** Whether any site lists hosts. */
  get checkHosts(): boolean {
    return this.#hosts.size > 0
  }

  /** Whether any site lists this host. */
  hasHost(host: string | undefined): boolean {
    if (host === undefined) return false
    for (const hosts of this.#hosts.values()) if (lists(hosts, host)) return true
    return false
  }

  /** The site of `sites` that an event belongs to; undefined when it is of none. */
  siteOf(params: Params, toIngest: boolean): number | undefined {
    const given = getParam(params, SITE_ID)
    const id = given !== undefined && /^\d{1,9}$/.test(given) ? Number(given) : toIngest ? this.#ingestSiteId : -1
    return this.#known.has(id) ? id : undefined
  }

  verdict(
    siteId: number | undefined,
    params: Params,
    headers: { origin: ByteString | undefined; referer: ByteString | undefined },
  ): HostVerdict {
    const allowed = siteId === undefined ? undefined : this.#hosts.get(siteId)
    if (allowed === undefined) return 'allowed'
    const page = hostOf(getParam(params, 'url')) ?? hostOf(pageOrigin(headers.origin, headers.referer))
    if (page === undefined) return 'missing'
    return lists(allowed, page) ? 'allowed' : 'not_allowed'
  }
}

function lists({ exact, suffixes }: HostList, host: string): boolean {
  return exact.has(host) || suffixes.some(suffix => host.endsWith(suffix))
}

/** No name in DNS is longer (RFC 1035 §2.3.4). */
const MAX_HOST_CHARS = 253

/**
 * The host of a URL, in small letters, without user and port; undefined when the text is no absolute URL. By hand: `URL`
 * costs microseconds, throws, and makes other hosts of odd ones.
 */
export function hostOf(url: string | undefined): string | undefined {
  const scheme = url === undefined ? -1 : url.indexOf('://')
  if (url === undefined || scheme < 1 || scheme > 16) return undefined
  let from = scheme + 3
  let to = from
  for (; to < url.length; to++) {
    const char = url.charCodeAt(to)
    // / ? # \
    if (char === 0x2f || char === 0x3f || char === 0x23 || char === 0x5c) break
    // @: what stood before it is a user
    if (char === 0x40) from = to + 1
  }
  const bracket = url.charCodeAt(from) === 0x5b ? url.indexOf(']', from) : -1
  const colon = bracket >= 0 ? bracket + 1 : url.indexOf(':', from)
  if (colon >= 0 && colon < to) to = colon
  // The root's dot: `shop.example.` is the same host.
  if (url.charCodeAt(to - 1) === 0x2e) to--
  if (to <= from || to - from > MAX_HOST_CHARS) return undefined
  return url.slice(from, to).toLowerCase()
}
