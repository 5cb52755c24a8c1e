import { createPool, type PoolConnection } from 'mysql2/promise'
import { mariadbCode, mariadbError } from './mariadb-error.ts'

export interface ConnectMariadbOptions {
  host: string
  /** Default 3306. */
  port?: number
  user: string
  password?: string | undefined
  database: string
  /** Connections at most. Default 4. */
  connections?: number
  /** How long getting a connection may take, a free one of the pool too, ms. Default 5 000. */
  connectTimeoutMs?: number
  /** How long an answer may take, ms. Default 10 000. */
  queryTimeoutMs?: number
  /** Whether TLS is on. `ca`: authorities to trust instead of Node's own list, PEM. */
  tls?: { ca?: string | undefined }
}

/** What one holder of a connection may do with it. */
export interface MariadbSession {
  /** A prepared statement: `?` for each of `values`. Rows as objects by column name; of a write: `affectedRows`. */
  execute<T>(sql: string, values?: readonly (string | number | null)[]): Promise<T>
  /** A statement that cannot be prepared. */
  query<T>(sql: string, timeoutMs?: number): Promise<T>
}

/** A write's result, as far as it is looked at. */
export interface MariadbWritten {
  affectedRows: number
}

/** A pool of connections to one database. Times are UTC in both directions, whatever the zone of process and server is. */
export interface Mariadb {
  /** Host, port and database, for messages. */
  readonly address: string
  readonly database: string
  /** Lends a connection to `work`. Rejects with the errors of `mariadbError`, or as `work` does with one of ours. */
  run<T>(work: (session: MariadbSession) => Promise<T>): Promise<T>
  /** The same within a transaction, which is rolled back when `work` rejects. */
  transaction<T>(work: (session: MariadbSession) => Promise<T>, begin?: string): Promise<T>
  close(): Promise<void>
}

/** Who waits for a free connection beyond these is refused at once (retryable). */
const MAX_WAITING = 100

/** Connects when the first connection is needed. */
export function connectMariadb(options: ConnectMariadbOptions): Mariadb {
  const { host, port = 3306, database, connectTimeoutMs = 5_000, queryTimeoutMs = 10_000 } = options
  const address = `${host}:${port}/${database}`
  const pool = createPool({
    host,
    port,
    user: options.user,
    ...(options.password !== undefined && { password: options.password }),
    database,
    connectionLimit: options.connections ?? 4,
    queueLimit: MAX_WAITING,
    connectTimeout: connectTimeoutMs,
    enableKeepAlive: true,
    maxPreparedStatements: 64,
    charset: 'utf8mb4_bin',
    // DATETIME has no zone: this is how mysql2 writes and reads Dates. TIMESTAMP follows the session, see below.
    timezone: 'Z',
    // mysql2 takes any name in a certificate otherwise.
    ...(options.tls !== undefined && {
      ssl: { ...(options.tls.ca !== undefined && { ca: options.tls.ca }), verifyIdentity: true },
    }),
  })
  // Before anything else on each connection: commands of a connection are answered in their order.
  pool.pool.on('connection', connection => {
    connection.query("SET time_zone = '+00:00', innodb_lock_wait_timeout = 5", () => {})
  })

  async function acquire(): Promise<PoolConnection> {
    let timer: NodeJS.Timeout | undefined
    const asked = pool.getConnection()
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        // It may still come: then it goes back.
        asked.then(connection => connection.release()).catch(() => {})
        reject(timedOut('no connection', connectTimeoutMs))
      }, connectTimeoutMs)
    })
    try {
      return await Promise.race([asked, late])
    } finally {
      clearTimeout(timer)
    }
  }

  async function run<T>(work: (session: MariadbSession) => Promise<T>): Promise<T> {
    let connection: PoolConnection | undefined
    let isBroken = false
    // mysql2's own time-out does not cover the PREPARE of a prepared statement.
    const answered = async <R>(answer: Promise<[unknown, unknown]>, timeoutMs: number): Promise<R> => {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(timedOut('no answer', timeoutMs)), timeoutMs)
      })
      try {
        return (await Promise.race([answer, late]))[0] as R
      } catch (error) {
        // Errors of the server leave the connection as it was; after any other it is unknown what comes next on it.
        if (!(mariadbCode(error) ?? '').startsWith('ER_')) isBroken = true
        answer.catch(() => {})
        throw error
      } finally {
        clearTimeout(timer)
      }
    }
    try {
      const held = await acquire()
      connection = held
      return await work({
        execute: (sql, values = []) => answered(held.execute(sql, [...values]), queryTimeoutMs),
        query: (sql, timeoutMs = queryTimeoutMs) => answered(held.query(sql), timeoutMs),
      })
    } catch (cause) {
      throw mariadbError(address, cause)
    } finally {
      if (isBroken) connection?.destroy()
      else connection?.release()
    }
  }

  return {
    address,
    database,
    run,
    transaction: (work, begin = 'START TRANSACTION') =>
      run(async session => {
        await session.query(begin)
        try {
          const result = await work(session)
          await session.query('COMMIT')
          return result
        } catch (error) {
          await session.query('ROLLBACK').catch(() => {})
          throw error
        }
      }),
    close: async () => {
      // A frozen server does not say goodbye.
      const late = new Promise<void>(resolve => void setTimeout(resolve, 1_000).unref())
      await Promise.race([pool.end(), late])
    },
  }
}

function timedOut(what: string, ms: number): Error {
  return Object.assign(new Error(`${what} within ${ms} ms`), { code: 'ETIMEDOUT' })
}
