import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { GatewaySettings } from '@headwater/gateway'
import type { Config } from './config.ts'

/** What the configuration says to the gateway, which writes to `accessLog`. */
export function gatewayOptions(config: Config, accessLog: string): GatewaySettings {
  const { gateway, log, metrics } = config
  const { cert, key } = gateway.tls
  return {
    host: gateway.host,
    port: gateway.port,
    healthHost: metrics.host,
    healthPort: metrics.port,
    frontEnd: gateway.front,
    trustedProxies: gateway.trustedProxies,
    ipMode: gateway.ip,
    identity: { serverCookie: config.identity.serverCookie === 'on' },
    tls: cert === undefined || key === undefined ? undefined : { cert, key },
    limits: gateway.limits,
    sites: config.sites,
    ingestSiteId: config.ingest.siteId,
    sdkDir: sdkFolder(),
    log: {
      file: accessLog,
      format: log.format,
      maxBytes: log.rotateBytes,
      maxAgeMs: log.rotateEveryMs,
      durability: log.durability,
    },
  }
}

/** Where the built script files of the SDK lie. */
function sdkFolder(): string | undefined {
  const script = fileURLToPath(import.meta.resolve('@headwater/sdk/dist/headwater.js'))
  return existsSync(script) ? dirname(script) : undefined
}
