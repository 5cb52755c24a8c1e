import { afterAll, beforeAll, expect, it } from 'vitest'
import { checkConfig } from '../src/commands/config.ts'
import { ConfigError } from '../src/load-config.ts'
import { type TestFolder, testFolder } from './running-server.ts'

let folder: TestFolder
beforeAll(() => {
  folder = testFolder()
})
afterAll(() => folder.remove())

it('a certificate without its key is a fault of the configuration', () => {
  expect(() => folder.load({ HEADWATER_GATEWAY_TLS_CERT: 'cert.pem' })).toThrow(ConfigError)
  expect(() => folder.load({ HEADWATER_GATEWAY_TLS_CERT: 'cert.pem' })).toThrow(
    /gateway\.tls must have both cert and key, or neither\. Found: \{"cert":"cert\.pem"\}/,
  )
})

it('config check finds what only the gateway would refuse at its start', () => {
  expect(() => checkConfig(folder.load({ HEADWATER_GATEWAY_TRUSTED_PROXIES: '10.0.0.0/33' }))).toThrow(
    /trustedProxies must hold addresses or CIDR ranges\. Found: 10\.0\.0\.0\/33/,
  )
  expect(() => checkConfig(folder.load({ HEADWATER_IDENTITY_SERVER_COOKIE: 'on' }))).toThrow(/list the hosts of a site/)
})

it('limits, sites and their hosts reach the gateway', async () => {
  const running = await folder.start(undefined, {
    HEADWATER_GATEWAY_LIMITS_PER_SITE: '1',
    HEADWATER_GATEWAY_LIMITS_BURST_SECONDS: '3',
    HEADWATER_SITES: '[{"id":7,"name":"shop","hosts":["shop.example"]}]',
    HEADWATER_INGEST_SITE_ID: '7',
  })
  try {
    const origin = `http://127.0.0.1:${running.ports.gateway}`
    const statuses: number[] = []
    for (const page of [
      'https://shop.example/',
      'https://else.example/',
      'https://shop.example/',
      'https://shop.example/',
    ])
      statuses.push((await fetch(`${origin}/5?idsite=7&url=${encodeURIComponent(page)}`)).status)
    expect(statuses).toEqual([204, 204, 204, 429])
    const metrics = await (await fetch(`http://127.0.0.1:${running.ports.metrics}/metrics`)).text()
    expect(metrics).toContain('headwater_gateway_lines_total 2\n')
    expect(metrics).toContain('headwater_gateway_foreign_events_total{host="not_allowed"} 1\n')
    expect(metrics).toContain('headwater_gateway_refused_requests_total{rate="site"} 1\n')
  } finally {
    await running.stop()
  }
})
