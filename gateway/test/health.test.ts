import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHealth } from '../src/index.ts'
import { get, rawHttp } from './raw-http.ts'
import { type StartedGateway, silent, startedGateway } from './started-gateway.ts'

describe('the health port', () => {
  let started: StartedGateway
  let url = ''
  beforeAll(async () => {
    started = await startedGateway()
    url = `http://127.0.0.1:${started.gateway.health?.port}`
  })
  afterAll(() => started?.stop())

  it('says that it lives and is ready', async () => {
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
  })

  it('shows what was counted', async () => {
    await rawHttp(started.port, get('/5'))
    await rawHttp(started.port, get('/nothing'))
    const text = await (await fetch(`${url}/metrics`)).text()
    expect(text).toContain('headwater_gateway_requests_total{status="204"} 1')
    expect(text).toContain('headwater_gateway_requests_total{status="404"} 1')
    expect(text).toContain('headwater_gateway_lines_total 1')
    expect(text).toContain('headwater_gateway_log_writable 1')
    // A second scrape adds nothing.
    expect(await (await fetch(`${url}/metrics`)).text()).toBe(text)
  })

  it('has routes and checks of the caller', async () => {
    started.gateway.health?.addRoute('/stats', at => ({ body: JSON.stringify({ site: at.searchParams.get('site') }) }))
    started.gateway.health?.addRoute('/broken', () => Promise.reject(new Error('secret')))
    expect(await (await fetch(`${url}/stats?site=7`)).json()).toEqual({ site: '7' })
    const broken = await fetch(`${url}/broken`)
    expect([broken.status, await broken.text()]).toEqual([500, 'This failed; the log says why.\n'])
    let reason: string | undefined = 'The store is away.'
    started.gateway.health?.addCheck(async () => reason)
    const ready = await fetch(`${url}/readyz`)
    expect([ready.status, await ready.text()]).toEqual([503, 'The store is away.\n'])
    reason = undefined
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
  })

  it('knows nothing else, and takes GET only', async () => {
    expect((await fetch(`${url}/5`)).status).toBe(404)
    // No URL can be made of these, and that must not end the process.
    for (const target of ['//', 'http://[', '*'])
      expect((await rawHttp(started.gateway.health?.port ?? 0, get(target)))[0]?.status).toBe(404)
    expect((await fetch(`${url}/healthz`, { method: 'POST' })).status).toBe(405)
  })

  it('is not reached through the public port', async () => {
    for (const path of ['/healthz', '/readyz', '/metrics', '/stats'])
      expect((await rawHttp(started.port, get(path)))[0]?.status).toBe(404)
  })

  it('says when its port is taken', async () => {
    const port = started.gateway.health?.port ?? 0
    const taken = startHealth({ host: '127.0.0.1', port, registry: new Registry(), log: silent })
    await expect(taken).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
    // Nothing of a gateway stays when its health port cannot be had.
    await expect(startedGateway({ healthPort: port })).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
  })
})
