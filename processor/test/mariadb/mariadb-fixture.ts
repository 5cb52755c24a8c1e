import {
  findMariadb,
  type MariadbDatabase,
  type MariadbServer,
  type MariadbServerOptions,
  startMariadb,
} from '@headwater/testkit'
import { pino } from 'pino'
import { afterAll, beforeAll } from 'vitest'
import { type ConnectMariadbOptions, connectMariadb, type Mariadb } from '../../src/mariadb/connect-mariadb.ts'
import { migrate } from '../../src/mariadb/migrate.ts'

export const silent = pino({ level: 'silent' })
export const mariadbIsThere = findMariadb()

/** A server for all tests of a file, and pools that are closed with it. */
export class MariadbFixture {
  server!: MariadbServer
  readonly #pools: Mariadb[] = []

  constructor(options: MariadbServerOptions = {}) {
    beforeAll(async () => {
      this.server = await startMariadb(options)
    }, 90_000)
    afterAll(async () => {
      await Promise.all(this.#pools.map(pool => pool.close()))
      await this.server?.stop()
    }, 90_000)
  }

  connect(database: MariadbDatabase, options: Partial<ConnectMariadbOptions> = {}): Mariadb {
    const db = connectMariadb({ ...database, ...options })
    this.#pools.push(db)
    return db
  }

  /** A database of its own with our tables, and a pool on it. */
  async migrated(options: Partial<ConnectMariadbOptions> = {}): Promise<{ database: MariadbDatabase; db: Mariadb }> {
    const database = await this.server.database()
    const db = this.connect(database, options)
    await migrate(db)
    return { database, db }
  }
}
