import { join } from 'node:path'
import { findProgram } from './find-program.ts'
import { onFreePorts } from './free-port.ts'
import { serviceFolder } from './service-folder.ts'
import { firstAnswer, type ServiceProcess, startServiceProcess } from './service-process.ts'

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
  const { folder, remove } = serviceFolder('headwater-redis', options.folder)
  const { password, maxmemory = '0', policy = 'noeviction', appendonly = true } = options
  return onFreePorts(1, async port => {
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
      async stop() {
        await service.kill()
        remove()
      },
    }
  })
}
