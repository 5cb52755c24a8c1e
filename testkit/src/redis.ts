import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { findProgram, firstAnswer, type ServiceProcess, startServiceProcess } from './service-process.ts'

/** A real Redis of the test's own. */
export interface RedisServer extends ServiceProcess {
  readonly port: number
  /** `redis://127.0.0.1:<port>`, without the password. */
  readonly url: string
  /** Holds `appendonlydir/`: copy it while Redis is killed, and it can go back in time. */
  readonly folder: string
  /** Kills it and removes its folder, unless the caller gave that. */
  stop(): Promise<void>
}

export interface RedisServerOptions {
  /** Default: a new folder, removed by `stop`. */
  folder?: string
  /** Such as `256mb`. Default: none. */
  maxmemory?: string
  /** `maxmemory-policy`. Default noeviction. */
  policy?: string
  /** Default true, with `appendfsync everysec`. */
  appendonly?: boolean
  password?: string
  /** More `redis-server` arguments, such as `['--rename-command', 'CONFIG', '']`. */
  args?: readonly string[]
}

/** Where redis-server stands on this machine, or undefined (Debian: redis-server). */
export function findRedis(): string | undefined {
  return findProgram('redis-server')
}

/** Starts Redis on a free port of 127.0.0.1, with the settings that Headwater asks for unless told otherwise. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const program = findRedis()
  if (program === undefined) throw new Error('redis-server is not installed (Debian: redis-server)')
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'headwater-redis-'))
  mkdirSync(folder, { recursive: true })
  const { password, maxmemory = '0', policy = 'noeviction', appendonly = true } = options
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const say = `${password === undefined ? '' : `AUTH ${password}\r\n`}PING\r\n`
    const settings = {
      port: String(port),
      bind: '127.0.0.1',
      dir: folder,
      appendonly: appendonly ? 'yes' : 'no',
      appendfsync: 'everysec',
      save: '',
      daemonize: 'no',
      maxmemory,
      'maxmemory-policy': policy,
      ...(password !== undefined && { requirepass: password }),
    }
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
    try {
      const service = await startServiceProcess({
        name: 'Redis',
        command: [program, ...args, ...(options.args ?? [])],
        logFile: join(folder, 'redis.log'),
        // `-LOADING` while the AOF is read.
        isReady: async () => /^\+(PONG|OK)/.test(String(await firstAnswer(port, say))),
      })
      return {
        ...service,
        port,
        url: `redis://127.0.0.1:${port}`,
        folder,
        stop: async () => {
          await service.kill()
          if (options.folder === undefined) rmSync(folder, { recursive: true, force: true })
        },
      }
    } catch (error) {
      // Somebody else was quicker with the port.
      if (attempt < 3 && String(error).includes('Address already in use')) continue
      throw error
    }
  }
}
