import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Logger } from 'pino'
import { GatewayError } from './gateway-error.ts'
import type { TlsOptions } from './options.ts'

/** A certificate and its key, read together and known to belong together. */
export interface Certificate {
  cert: Buffer
  key: Buffer
  /** uWebSockets.js reads files by itself. */
  certFile: string
  keyFile: string
  /** Unix ms. */
  expiresAt: number
}

const CHECK_EVERY_MS = 10_000
const SOON_MS = 14 * 86_400_000

/** Reads a certificate and its key. Throws TLS_UNUSABLE when a file cannot be read or they do not belong together. */
export function readCertificate({ cert: certFile, key: keyFile }: TlsOptions): Certificate {
  try {
    const cert = readFileSync(certFile)
    const key = readFileSync(keyFile)
    createSecureContext({ cert, key })
    return { cert, key, certFile, keyFile, expiresAt: Date.parse(new X509Certificate(cert).validTo) }
  } catch (cause) {
    throw new GatewayError(
      'TLS_UNUSABLE',
      `gateway.tls.cert and gateway.tls.key must be a certificate and its key, in PEM. Found: ${certFile}, ${keyFile}: ` +
        `${(cause as Error).message}.`,
      { cause },
    )
  }
}

export interface CertificateWatch {
  /** The one in force. */
  readonly certificate: Certificate
  stop(): void
}

/**
 * Looks at the files now and then and hands a changed pair to `use`. By content, as what renews certificates replaces
 * files, links or whole folders. A pair that cannot be used, or is half written, leaves the old one in force.
 */
export function watchCertificate(
  options: TlsOptions,
  first: Certificate,
  use: (certificate: Certificate) => void,
  log: Logger,
): CertificateWatch {
  let inForce = first
  let reported = ''
  const warnWhenOld = (): void => {
    if (inForce.expiresAt < Date.now() + SOON_MS)
      log.warn({ file: options.cert, expires: new Date(inForce.expiresAt) }, 'The TLS certificate expires soon')
  }
  const look = (): void => {
    try {
      const found = readCertificate(options)
      if (found.cert.equals(inForce.cert) && found.key.equals(inForce.key)) return
      use(found)
      inForce = found
      reported = ''
      log.info({ file: options.cert, expires: new Date(found.expiresAt) }, 'The TLS certificate was taken over')
      warnWhenOld()
    } catch (error) {
      // Once for each fault: the operator knows after the first.
      const { message } = error as Error
      if (message !== reported) log.error({ err: error }, 'The TLS files cannot be used: the certificate before stays')
      reported = message
    }
  }
  warnWhenOld()
  const timer = setInterval(look, options.checkEveryMs ?? CHECK_EVERY_MS)
  timer.unref()
  return {
    get certificate() {
      return inForce
    },
    stop: () => clearInterval(timer),
  }
}
