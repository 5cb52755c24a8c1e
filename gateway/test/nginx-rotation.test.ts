import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventsOf, parseLogLine } from '@headwater/core'
import { findNginx, type Nginx, serviceOrSkip, startNginx } from '@headwater/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { get, post, rawHttp } from './raw-http.ts'
import { until } from './started-gateway.ts'

const configuration = join(dirname(fileURLToPath(import.meta.url)), '../../nginx')

describe.skipIf(!serviceOrSkip('nginx', findNginx()))('a real NGINX of two workers', () => {
  let nginx: Nginx
  let folder: string
  let rotations = 0
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'headwater-nginx-'))
    nginx = await startNginx({ configuration, folder, workers: 2 })
  })
  afterAll(async () => {
    await nginx?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const linesIn = (file: string): string[] =>
    existsSync(file) ? readFileSync(file, 'latin1').split('\n').slice(0, -1) : []
  /** The lines of all files, of the oldest first. */
  const lines = (): string[] => {
    const rotated = Array.from({ length: rotations }, (_, i) => linesIn(`${nginx.log}.${i + 1}`))
    return [...rotated, linesIn(nginx.log)].flat()
  }
  const numbers = (mark: string): number[] =>
    lines()
      .flatMap(line => Number(new RegExp(`[?&]${mark}=(\\d+)`).exec(line)?.[1] ?? Number.NaN))
      .filter(number => !Number.isNaN(number))
      .sort((a, b) => a - b)
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

  it('logs 400 beacons over four rotations by rename and USR1, each once', async () => {
    let sent = 0
    const send = async (): Promise<void> => {
      while (sent < 400) {
        const number = sent++
        // Rotated in the middle of the traffic, four times.
        if (number % 81 === 80) {
          rotations++
          renameSync(nginx.log, `${nginx.log}.${rotations}`)
          nginx.reopen()
        }
        const bytes = number % 3 === 0 ? post(`/5?rotated=${number}`, 'e_c=a') : get(`/5?rotated=${number}`)
        const [answer] = await rawHttp(nginx.port, bytes)
        expect(answer?.status).toBe(204)
        // The next rotation is to find a new file.
        if (number % 81 === 80) await until(() => existsSync(nginx.log))
      }
    }
    await Promise.all(Array.from({ length: 8 }, send))
    await until(() => numbers('rotated').length >= 400)
    expect(numbers('rotated')).toEqual(upTo(400))
    expect(rotations).toBe(4)
    for (const line of lines()) expect(parseLogLine(line)).not.toHaveProperty('rejected')
  }, 60_000)

  it('logs an event for each of 400 clients that close at once', async () => {
    const send = (number: number): Promise<void> =>
      new Promise(resolve => {
        const socket = connect(nginx.port, '127.0.0.1')
        socket.on('error', () => {})
        socket.once('close', () => resolve())
        const bytes = number % 2 === 0 ? get(`/5?closed=${number}`) : post(`/5?closed=${number}`, 'e_c=a')
        socket.write(Buffer.from(bytes, 'latin1'), () => socket.destroySoon())
      })
    for (let at = 0; at < 400; at += 40) await Promise.all(upTo(40).map(i => send(at + i)))
    await until(() => numbers('closed').length >= 400)
    expect(numbers('closed')).toEqual(upTo(400))
    const closed = lines().filter(line => line.includes('closed='))
    for (const line of closed) {
      const record = parseLogLine(line)
      const events = 'rejected' in record ? record : eventsOf(record, { source: 'test', position: 0, ingestSiteId: 1 })
      expect(events).toHaveLength(1)
    }
  }, 60_000)

  it('tells its counts on the status socket, and to nobody else', async () => {
    const status = await new Promise<string>((resolve, reject) => {
      const asked = request({ socketPath: join(folder, 'run/status.sock'), path: '/stub_status' }, answer => {
        let text = ''
        answer.on('data', data => {
          text += data
        })
        answer.on('end', () => resolve(text))
      })
      asked.on('error', reject)
      asked.end()
    })
    const requests = /server accepts handled requests\n (\d+) (\d+) (\d+)/.exec(status)
    expect(Number(requests?.[3])).toBeGreaterThan(0)
    expect((await rawHttp(nginx.port, get('/stub_status')))[0]?.status).toBe(404)
  })
})
