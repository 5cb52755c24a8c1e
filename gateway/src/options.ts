import type { LogFormat } from '@headwater/core'

/** How much of a client's address is kept. `truncated`: IPv4 to /24, IPv6 to /48. `none`: `0.0.0.0`. */
export type IpMode = 'full' | 'truncated' | 'none'

/** `write`: acknowledged when the line is with the operating system. `fsync`: when it is on the disk (a group at a time). */
export type Durability = 'write' | 'fsync'

/** `auto` takes uWebSockets.js where its binary loads and node:http elsewhere. */
export type FrontEnd = 'auto' | 'uws' | 'node'

/** The access log. */
export interface LogOptions {
  file: string
  /** Default `headwater`. Without it only one more field than `combined` can be read by Fluentd's `@type nginx`. */
  format: LogFormat
  /** Rotate when the file is at least this long. 0: never by size. Default 256 MiB. */
  maxBytes: number
  /** Rotate when the file was begun this long ago. 0: never by age. Default one hour. */
  maxAgeMs: number
  /** Default `write`. */
  durability: Durability
}

/** What the public port refuses. The wire's own limits (URL, body, bulk) stand in core/limits. */
export interface LimitOptions {
  /** Requests a second of one client (an IPv4 address, an IPv6 /64); beyond it 429. 0 (default): no limit. */
  perAddress: number
  /** Requests a second for one site of `sites`, and for all other events together; beyond it 429. 0 (default): no limit. */
  perSite: number
  /** Both rates may be exceeded by as much as this many seconds bring, after a pause as long. Default 2. */
  burstSeconds: number
  /** Connections at a time; more are closed at once. 0: as many as the operating system gives. Default 10 000. */
  maxConnections: number
  /** From the first byte of a request to its last header, then again to the last byte of its body. Default 10 s. */
  requestTimeoutMs: number
  /** How long an idle connection is kept by node:http; uWebSockets.js has 10 s built in. Default 10 s. */
  keepAliveMs: number
}

/** Files in PEM form, as certbot and others leave them. */
export interface TlsOptions {
  /** The certificate, then those that signed it (`fullchain.pem`). */
  cert: string
  key: string
  /** How often to look whether the files have changed. Default 10 s. */
  checkEveryMs?: number
}

/** How visitors are known again. */
export interface IdentityOptions {
  /**
   * Keeps the visitor's id in a cookie `_hw_id` that this gateway sets and no script can read (`Secure; HttpOnly;
   * SameSite=Lax`), for pages on the hosts that `sites` list, when their tracker asks for it (`serverCookie`, after
   * consent). Needs a site with hosts. Default false.
   */
  serverCookie: boolean
}

/** What the gateway must know of a site. */
export interface SiteRule {
  /** `idsite` of its events. */
  id: number
  /** Host names, without a port, of the pages that may report for it; `*.shop.example`: all below. Empty: any page. */
  hosts: readonly string[]
}

/** Everything `startGateway` needs to know. `gatewayOptions` fills in the defaults. */
export interface GatewayOptions {
  /** Default `0.0.0.0`. */
  host: string
  /** 0 takes any free port. Default 8000. */
  port: number
  /** Health and metrics: loopback, unless somebody knows better. Default `127.0.0.1`. */
  healthHost: string
  /** 0 takes any free port; undefined: no health port, the caller serves `Gateway.registry` itself. Default 9464. */
  healthPort: number | undefined
  frontEnd: FrontEnd
  log: LogOptions
  limits: LimitOptions
  /** Default none: plain HTTP. */
  tls: TlsOptions | undefined
  /** Sites that have rules; events of others are taken from everywhere. Default none. */
  sites: readonly SiteRule[]
  /** Site of `/ingest` requests without `idsite`. Default 1. */
  ingestSiteId: number
  /** Addresses and CIDR ranges whose X-Forwarded-For is believed. Default none. */
  trustedProxies: readonly string[]
  ipMode: IpMode
  identity: IdentityOptions
  /** Folder with `headwater.js` and `headwater-<version>.js`, read once at start. Default none: the SDK is not served. */
  sdkDir: string | undefined
}

/** Options as a caller writes them: the log file, and what differs from the defaults. */
export interface GatewaySettings extends Partial<Omit<GatewayOptions, 'log' | 'limits'>> {
  log: Partial<LogOptions> & Pick<LogOptions, 'file'>
  limits?: Partial<LimitOptions>
}

export function gatewayOptions(settings: GatewaySettings): GatewayOptions {
  return {
    host: settings.host ?? '0.0.0.0',
    port: settings.port ?? 8000,
    healthHost: settings.healthHost ?? '127.0.0.1',
    healthPort: 'healthPort' in settings ? settings.healthPort : 9464,
    frontEnd: settings.frontEnd ?? 'auto',
    log: {
      file: settings.log.file,
      format: settings.log.format ?? 'headwater',
      maxBytes: settings.log.maxBytes ?? 256 * 1024 * 1024,
      maxAgeMs: settings.log.maxAgeMs ?? 3_600_000,
      durability: settings.log.durability ?? 'write',
    },
    limits: {
      perAddress: settings.limits?.perAddress ?? 0,
      perSite: settings.limits?.perSite ?? 0,
      burstSeconds: settings.limits?.burstSeconds ?? 2,
      maxConnections: settings.limits?.maxConnections ?? 10_000,
      requestTimeoutMs: settings.limits?.requestTimeoutMs ?? 10_000,
      keepAliveMs: settings.limits?.keepAliveMs ?? 10_000,
    },
    tls: settings.tls,
    sites: settings.sites ?? [],
    ingestSiteId: settings.ingestSiteId ?? 1,
    trustedProxies: settings.trustedProxies ?? [],
    ipMode: settings.ipMode ?? 'full',
    identity: { serverCookie: settings.identity?.serverCookie ?? false },
    sdkDir: settings.sdkDir,
  }
}
