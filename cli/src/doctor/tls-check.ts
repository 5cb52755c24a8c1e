import { readCertificate } from '@headwater/gateway'
import { type Check, type Finding, fail, ok, warn } from './check.ts'

const DAY_MS = 86_400_000
/** certbot renews 30 days before the end: later something has gone wrong. */
const WARN_DAYS = 14

export const tlsCheck: Check = {
  name: 'tls',
  async run({ config }): Promise<Finding[]> {
    const { cert, key } = config.gateway.tls
    if (cert === undefined || key === undefined)
      return [ok('Beacons come by plain HTTP: pages on https need a proxy in front, or gateway.tls.')]
    const { expiresAt } = readCertificate({ cert, key })
    const text = `${cert} is good until ${new Date(expiresAt).toISOString()}`
    const remedy = 'Renew it; a running server takes the new files over by itself.'
    if (expiresAt <= Date.now()) return [fail(`The certificate has ended: ${text}.`, remedy)]
    if (expiresAt < Date.now() + WARN_DAYS * DAY_MS) return [warn(`The certificate ends soon: ${text}.`, remedy)]
    return [ok(`${text}.`)]
  },
}
