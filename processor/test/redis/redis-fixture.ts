import { findRedis, type RedisServer, type RedisServerOptions, startRedis } from '@headwater/testkit'
import { pino } from 'pino'
import { afterAll, beforeAll } from 'vitest'
import { type ConnectRedisOptions, connectRedis, type RedisConnection } from '../../src/redis/connect-redis.ts'

export const silent = pino({ level: 'silent' })
export const redisIsThere = findRedis()

/** A server for all tests of a file, and connections that are closed with it. */
export class RedisFixture {
  server!: RedisServer
  readonly #connections: RedisConnection[] = []
  #names = 0

  constructor(options: RedisServerOptions = {}) {
    beforeAll(async () => {
      this.server = await startRedis(options)
    }, 90_000)
    afterAll(async () => {
      this.close()
      await this.server?.stop()
    }, 90_000)
  }

  connect(options: Partial<ConnectRedisOptions> = {}): RedisConnection {
    const connection = connectRedis({ url: this.server.url, log: silent, ...options })
    this.#connections.push(connection)
    return connection
  }

  /** A key prefix that no other test has. */
  prefix(): string {
    return `t${++this.#names}:`
  }

  close(): void {
    for (const connection of this.#connections.splice(0)) connection.close()
  }
}
