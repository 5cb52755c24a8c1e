import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { startNginx } from '@headwater/testkit'
import { cpuSecondsOf } from '../cpu-time.ts'

const GATEWAY = fileURLToPath(new URL('gateway-process.js', import.meta.url))
const NGINX_CONFIGURATION = fileURLToPath(new URL('../../../nginx', import.meta.url))

/** A server under load. */
export interface Contender {
  port: number
  log: string
  /** Of what serves the requests: the gateway's process, or NGINX's worker. */
  cpuSeconds(): number
  stop(): Promise<void>
}

/** The gateway in a process of its own. Rejects when its front end does not load. */
export async function gatewayContender(front: 'uws' | 'node', folder: string): Promise<Contender> {
  const log = join(folder, `${front}.log`)
  const child = spawn(process.execPath, [GATEWAY, front, log], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const port = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([line]) => Number(line)),
    ended.then(([code]) => Promise.reject(new Error(`The gateway with ${front} ended with ${code}.`))),
  ])
  return {
    port,
    log,
    cpuSeconds: () => cpuSecondsOf(child.pid as number),
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** A real NGINX, one worker, our configuration. */
export async function nginxContender(): Promise<Contender> {
  const nginx = await startNginx({ configuration: NGINX_CONFIGURATION, workers: 1 })
  return {
    port: nginx.port,
    log: nginx.log,
    cpuSeconds: () => nginx.workers().reduce((sum, pid) => sum + cpuSecondsOf(pid), 0),
    stop: () => nginx.stop(),
  }
}
