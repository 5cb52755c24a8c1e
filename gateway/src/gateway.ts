import type { Logger } from 'pino'
import { Registry } from 'prom-client'
import type { Answer } from './answer.ts'
import { type CertificateWatch, readCertificate, watchCertificate } from './certificate.ts'
import { type TrustedProxies, trustedProxies } from './client-address.ts'
import { countAnswer, newCounts } from './counts.ts'
import type { Front, FrontOptions, FrontRefusals } from './front.ts'
import { GatewayError } from './gateway-error.ts'
import { type Health, startHealth } from './health.ts'
import { LineWriter } from './line-writer.ts'
import { loadUws, type Uws } from './load-uws.ts'
import { LogFile } from './log-file.ts'
import { LogLines } from './log-line.ts'
import { registerGatewayMetrics } from './metrics.ts'
import { deliverNode, type NodeWaiting, startNodeFront } from './node-front.ts'
import { type GatewayOptions, type GatewaySettings, gatewayOptions } from './options.ts'
import { RateLimit } from './rate-limit.ts'
import { RequestHandler } from './request-handler.ts'
import { readSdkFiles } from './sdk-files.ts'
import { SiteRules } from './site-rules.ts'
import { deliverUws, startUwsFront, type UwsWaiting } from './uws-front.ts'
import { VisitorCookie } from './visitor-cookie.ts'

/** A running gateway. */
export interface Gateway {
  /** The public port. */
  readonly port: number
  /** Which front end serves it. */
  readonly front: 'uws' | 'node'
  /** Health and metrics; undefined when `healthPort` was undefined. Routes and ready checks may be added. */
  readonly health: Health | undefined
  /** Where `headwater_gateway_*` is registered: the caller's, or one of its own. */
  readonly registry: Registry
  /** Calls back after every write to the log, at most once a turn of the event loop: wakes a tailer in this process. */
  onWritten(callback: () => void): void
  /** Why it cannot take beacons now, as a sentence; undefined: it can. */
  notReady(): string | undefined
  /** Opens the log's path anew, as SIGUSR1 does. */
  reopenLog(): void
  /**
   * Drains: no new connections, 503 with `Connection: close` to new requests, answers to what was received, then the log
   * is synced and closed. Bodies that are still on their way after `deadlineMs` are given up. May be called again.
   */
  close(deadlineMs?: number): Promise<void>
}

export interface GatewayDependencies {
  log: Logger
  /** Default: a registry of its own. */
  registry?: Registry
}

type Lines = Pick<LineWriter<unknown>, 'idle' | 'onWritten'>

/** How often an idle gateway looks whether its log is due for rotation. */
const MAINTAIN_EVERY_MS = 10_000

/** What the options say of proxies and sites. Throws OPTIONS_INVALID; touches nothing, so `headwater config check` asks it, too. */
export function checkedRules(options: GatewayOptions): { trusted: TrustedProxies; sites: SiteRules } {
  const trusted = trustedProxies(options.trustedProxies)
  const sites = new SiteRules(options.sites, options.ingestSiteId)
  if (options.identity.serverCookie && !sites.checkHosts)
    throw new GatewayError(
      'OPTIONS_INVALID',
      'identity.serverCookie needs to know the pages that may have the cookie: list the hosts of a site. Found: no hosts.',
    )
  return { trusted, sites }
}

/**
 * Starts a gateway: beacons in, log lines out. This function is the table of contents:
 *
 *     front end → RequestHandler (acceptBeacon, LogLines) → LineWriter → LogFile → answers
 *
 * Rejects with LOG_UNWRITABLE, LISTEN_FAILED, OPTIONS_INVALID, TLS_UNUSABLE or UWS_MISSING; nothing is left running then.
 */
export async function startGateway(settings: GatewaySettings, dependencies: GatewayDependencies): Promise<Gateway> {
  const options = gatewayOptions(settings)
  const { log } = dependencies
  const registry = dependencies.registry ?? new Registry()
  const counts = newCounts()
  const { trusted, sites } = checkedRules(options)
  const visitorCookie = options.identity.serverCookie ? new VisitorCookie(sites) : undefined
  const certificate = options.tls && readCertificate(options.tls)
  const sdkFiles = readSdkFiles(options.sdkDir)
  const file = new LogFile(options.log, log)

  /** The same chain for both front ends: only what an answer is delivered to differs. */
  function chain<Waiting>(deliver: (waiting: Waiting, answer: Answer) => boolean): {
    writer: LineWriter<Waiting>
    handler: RequestHandler<Waiting>
  } {
    const writer = new LineWriter<Waiting>(
      file,
      (waiting, answer) => {
        countAnswer(counts, answer.status)
        if (!deliver(waiting, answer)) counts.gone++
      },
      options.log.durability,
    )
    const { perAddress, perSite, burstSeconds } = options.limits
    const limit = (perSecond: number) => (perSecond > 0 ? new RateLimit(perSecond, burstSeconds) : undefined)
    const handlerOptions = {
      logFormat: options.log.format,
      sdkFiles,
      trusted,
      ipMode: options.ipMode,
      perAddress: limit(perAddress),
      perSite: limit(perSite),
      sites,
      visitorCookie,
    }
    return { writer, handler: new RequestHandler(handlerOptions, new LogLines(options.log.format), writer, counts) }
  }

  const frontOptions: FrontOptions = {
    host: options.host,
    port: options.port,
    requestTimeoutMs: options.limits.requestTimeoutMs,
    keepAliveMs: options.limits.keepAliveMs,
    maxConnections: options.limits.maxConnections,
    readsOrigin: sites.checkHosts,
    readsCookie: visitorCookie !== undefined,
    certificate,
  }
  const refusals: FrontRefusals = {
    request: status => countAnswer(counts, status),
    connection: () => {
      counts.refusedConnections++
    },
  }

  async function startFront(): Promise<{ front: Front; writer: Lines }> {
    const uws = uwsFor(options, log)
    if (uws !== undefined) {
      const { writer, handler } = chain<UwsWaiting>(deliverUws)
      const front = await startUwsFront(
        uws,
        frontOptions,
        (request, waiting) => handler.handle(request, waiting),
        refusals,
      )
      return { front, writer }
    }
    const { writer, handler } = chain<NodeWaiting>(deliverNode)
    const front = await startNodeFront(frontOptions, (request, waiting) => handler.handle(request, waiting), refusals)
    return { front, writer }
  }

  let started: Awaited<ReturnType<typeof startFront>>
  let health: Health | undefined
  try {
    started = await startFront()
  } catch (error) {
    file.close()
    throw error
  }
  const { front, writer } = started
  const tls: CertificateWatch | undefined =
    options.tls &&
    certificate &&
    watchCertificate(options.tls, certificate, renewed => front.useCertificate(renewed), log)
  let draining = false
  const notReady = (): string | undefined => {
    if (draining) return 'The gateway is stopping.'
    return file.writable ? undefined : `The log cannot be written: ${options.log.file}.`
  }
  try {
    if (options.healthPort !== undefined) {
      health = await startHealth({ host: options.healthHost, port: options.healthPort, registry, log })
      health.addCheck(notReady)
    }
    registerGatewayMetrics(registry, {
      counts,
      log: file,
      receiving: () => front.receiving(),
      certificateExpiresAt: () => tls?.certificate.expiresAt ?? 0,
    })
  } catch (error) {
    tls?.stop()
    await Promise.all([front.close(), health?.close()])
    file.close()
    throw error
  }

  // Node keeps SIGUSR1 for its debugger unless somebody listens; here it means what it means to NGINX.
  const reopen = (): void => file.reopen()
  process.on('SIGUSR1', reopen)
  const maintain = setInterval(() => file.maintain(), MAINTAIN_EVERY_MS)
  maintain.unref()
  log.info({ port: front.port, front: front.name, file: options.log.file }, 'The gateway takes beacons')

  let closing: Promise<void> | undefined
  async function close(deadlineMs: number): Promise<void> {
    draining = true
    tls?.stop()
    front.stopListening()
    const deadline = Date.now() + deadlineMs
    while (front.receiving() > 0 && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, 10))
    await writer.idle()
    await front.close()
    // What was committed while the connections ended.
    await writer.idle()
    clearInterval(maintain)
    process.off('SIGUSR1', reopen)
    file.close()
    await health?.close()
    log.info({ lines: counts.lines }, 'The gateway has stopped')
  }

  return {
    port: front.port,
    front: front.name,
    health,
    registry,
    onWritten: callback => writer.onWritten(callback),
    notReady,
    reopenLog: reopen,
    close: (deadlineMs = 5000) => (closing ??= close(deadlineMs)),
  }
}

let fallbackReported = false

/** uWebSockets.js when it is wanted and loads; else undefined, and the log says so once. */
function uwsFor({ frontEnd }: GatewayOptions, log: Logger): Uws | undefined {
  if (frontEnd === 'node') return undefined
  const loaded = loadUws()
  if ('uws' in loaded) return loaded.uws
  if (frontEnd === 'uws')
    throw new GatewayError('UWS_MISSING', `uWebSockets.js must load when frontEnd is uws. Found: ${loaded.missing}`)
  if (!fallbackReported)
    log.warn({ reason: loaded.missing }, 'uWebSockets.js does not load here: node:http takes the beacons, more slowly')
  fallbackReported = true
  return undefined
}
