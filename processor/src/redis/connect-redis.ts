import { type RedisOptions as ClientOptions, Redis } from 'ioredis'
import type { Logger } from 'pino'
import { ProcessorError } from '../errors.ts'
import { redisError } from './redis-error.ts'

export interface ConnectRedisOptions {
  /** `redis://host:port/db`, or `rediss://…` for TLS. */
  url: string
  username?: string | undefined
  password?: string | undefined
  /** With `rediss://`: authorities to trust instead of Node's own list, PEM. */
  ca?: string | undefined
  /** How long a connection may take to become usable, ms. Default 5 000. */
  connectTimeoutMs?: number
  /** How long an answer may take, ms. Default 5 000. */
  commandTimeoutMs?: number
  log: Logger
}

/**
 * One connection to Redis, made again whenever it breaks, and a second one while somebody listens.
 *
 * Nothing is queued while Redis is away: `run` waits for the connection at most `connectTimeoutMs`, each command for its
 * answer at most `commandTimeoutMs`, and then rejects with a retryable error. A command that was sent and not answered is
 * never sent again by itself: whether it was done is unknown.
 */
export interface RedisConnection {
  /** Host and port, for messages. */
  readonly address: string
  /** Rises with every new connection: what was learned about the server before may not hold any more. */
  readonly epoch: number
  /** Whether a command would be sent now: for those who can do without. */
  readonly isReady: boolean
  /** Rejects with the errors of `redisError`. */
  run<T>(work: (redis: Redis) => Promise<T>): Promise<T>
  /**
   * Calls back with every message of a channel until `stop` aborts, and with `undefined` whenever listening begins, also
   * after a break: messages before may have been missed. A Redis that is away is waited for.
   */
  subscribe(channel: string, heard: (message: string | undefined) => void, stop: AbortSignal): void
  close(): void
}

/** Begins to connect, and goes on trying by itself. Never rejects: a Redis that is away is told by the first `run`. */
export function connectRedis(options: ConnectRedisOptions): RedisConnection {
  const { log, connectTimeoutMs = 5_000, commandTimeoutMs = 5_000 } = options
  const url = new URL(options.url)
  const address = `${url.hostname}:${url.port || 6379}`
  const settings: ClientOptions = {
    ...(options.username !== undefined && { username: options.username }),
    ...(options.password !== undefined && { password: options.password }),
    ...(options.ca !== undefined && url.protocol === 'rediss:' && { tls: { ca: options.ca } }),
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    // Beside the command's own clock: it closes the connection, so that commands for a frozen Redis do not pile up in it.
    socketTimeout: commandTimeoutMs,
    enableOfflineQueue: false,
    // It would ask INFO, which not every service allows; a Redis that is loading says so to every command.
    enableReadyCheck: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
    connectionName: 'headwater',
    retryStrategy: attempt => Math.min(50 * 2 ** Math.min(attempt, 10), 1_000),
  }
  const redis = new Redis(options.url, settings)
  let listener: Redis | undefined
  let epoch = 0
  let isClosed = false
  /** Why there is no connection. */
  let lastError: unknown = new Error('connecting')
  let becomingReady: Promise<void> | undefined

  redis.on('ready', () => {
    epoch++
    lastError = new Error('the connection was lost')
  })
  // Told by those who wanted something of it; without this line the process would end.
  redis.on('error', error => {
    lastError = error
  })

  function ready(): Promise<void> {
    if (redis.status === 'ready') return Promise.resolve()
    becomingReady ??= new Promise<void>((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer)
        redis.off('ready', done)
        becomingReady = undefined
        if (redis.status === 'ready') resolve()
        else reject(lastError)
      }
      const timer = setTimeout(done, connectTimeoutMs)
      redis.on('ready', done)
    })
    return becomingReady
  }

  function listen(): Redis {
    if (listener !== undefined) return listener
    // `subscribe` does it again after a break, for only then it is known when listening begins.
    const client = new Redis(options.url, { ...settings, autoResubscribe: false })
    client.setMaxListeners(0)
    client.on('error', err => log.debug({ err }, 'Redis cannot be listened to'))
    listener = client
    return client
  }

  return {
    address,
    get epoch() {
      return epoch
    },
    get isReady() {
      return redis.status === 'ready'
    },

    async run(work) {
      if (isClosed) {
        throw new ProcessorError('STORE_UNAVAILABLE', `Redis at ${address} is no longer used by this process.`)
      }
      try {
        await ready()
        return await work(redis)
      } catch (cause) {
        throw redisError(address, cause)
      }
    },

    subscribe(channel, heard, stop) {
      if (stop.aborted || isClosed) return
      const client = listen()
      const message = (from: string, text: string): void => {
        if (from === channel) heard(text)
      }
      const subscribe = (): void => {
        client.subscribe(channel).then(
          () => {
            if (!stop.aborted) heard(undefined)
          },
          err => log.debug({ err, channel }, 'Redis cannot be listened to'),
        )
      }
      client.on('message', message).on('ready', subscribe)
      if (client.status === 'ready') subscribe()
      stop.addEventListener('abort', () => void client.off('message', message).off('ready', subscribe), { once: true })
    },

    close() {
      isClosed = true
      redis.disconnect()
      listener?.disconnect()
    },
  }
}
