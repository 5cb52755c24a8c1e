import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from './find-program.ts'
import { onFreePorts } from './free-port.ts'
import { serviceFolder } from './service-folder.ts'
import { firstAnswer, type ServiceProcess, startServiceProcess } from './service-process.ts'

const run = promisify(execFile)

/** A database of the test's own, and a user that may do everything in it. */
export interface MariadbDatabase {
  host: string
  port: number
  user: string
  password: string
  database: string
}

/** A real MariaDB of the test's own. */
export interface MariadbServer extends ServiceProcess {
  readonly port: number
  /** Makes an empty database that no other test has. */
  database(): Promise<MariadbDatabase>
  /** Runs SQL as root, in `database` if given. Resolves with what the `mariadb` client prints: rows with tabs between columns. */
  sql(statement: string, database?: string): Promise<string>
  /** Kills it and removes its folder, unless the caller gave that. */
  stop(): Promise<void>
}

export interface MariadbServerOptions {
  /** Default: a new folder, removed by `stop`. */
  folder?: string
  /** More `mariadbd` arguments. */
  args?: readonly string[]
}

const USER = 'headwater'
const PASSWORD = 'let-me-in'

/** Where mariadbd stands on this machine, or undefined (Debian: mariadb-server). */
export function findMariadb(): string | undefined {
  return findProgram('mariadbd')
}

/** Starts MariaDB on a free port of 127.0.0.1. Its first start on a machine installs a data folder, kept for later ones. */
export async function startMariadb(options: MariadbServerOptions = {}): Promise<MariadbServer> {
  const program = findMariadb()
  const client = findProgram('mariadb')
  if (program === undefined || client === undefined)
    throw new Error('mariadbd is not installed (Debian: mariadb-server)')
  // Its socket lies here, and the path of a socket has at most 107 bytes.
  const { folder, remove } = serviceFolder('hw-mariadb', options.folder)
  const data = join(folder, 'data')
  if (!existsSync(data)) cpSync(await installedData(), data, { recursive: true })
  const socket = join(folder, 'm.sock')

  return onFreePorts(1, async port => {
    const command = [
      program,
      '--no-defaults',
      ...userArgument(),
      `--datadir=${data}`,
      `--socket=${socket}`,
      `--pid-file=${join(folder, 'm.pid')}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      '--skip-log-bin',
      '--innodb-buffer-pool-size=64M',
      '--innodb-flush-log-at-trx-commit=2',
      '--performance-schema=OFF',
      '--skip-name-resolve',
      '--character-set-server=utf8mb4',
      `--tmpdir=${folder}`,
      ...(options.args ?? []),
    ]
    const service = await startServiceProcess({
      name: 'MariaDB',
      command,
      logFile: join(folder, 'mariadb.log'),
      // The greeting: three bytes of length, a sequence number, then protocol version 10.
      isReady: async () => (await firstAnswer(port))?.[4] === 10,
    })
    let databases = 0
    const sql = async (statement: string, database?: string): Promise<string> => {
      const args = ['--no-defaults', '-S', socket, '-uroot', '-N', '-B', '--default-character-set=utf8mb4']
      const { stdout } = await run(client, [...args, '-e', statement, ...(database === undefined ? [] : [database])])
      return stdout
    }
    return {
      ...service,
      port,
      sql,
      async database() {
        const database = `hw_${process.pid}_${++databases}`
        await sql(
          // Over the socket a user comes from localhost, by TCP from 127.0.0.1 (skip-name-resolve).
          ['127.0.0.1', 'localhost']
            .map(host => `CREATE USER IF NOT EXISTS '${USER}'@'${host}' IDENTIFIED BY '${PASSWORD}';`)
            .concat(`CREATE DATABASE ${database};`)
            .concat(['127.0.0.1', 'localhost'].map(host => `GRANT ALL ON ${database}.* TO '${USER}'@'${host}';`))
            .join(' '),
        )
        return { host: '127.0.0.1', port, user: USER, password: PASSWORD, database }
      },
      stop: async () => {
        await service.kill()
        remove()
      },
    }
  })
}

/** A data folder as installed (26 MB, 2 s): made once for each version of MariaDB, then copied. */
async function installedData(): Promise<string> {
  const install = findProgram('mariadb-install-db')
  if (install === undefined) throw new Error('mariadb-install-db is not installed (Debian: mariadb-server)')
  const { stdout } = await run(findMariadb() as string, ['--no-defaults', '--version'])
  const version = /Ver ([\w.]+)/.exec(stdout)?.[1] ?? 'unknown'
  const kept = join(tmpdir(), `headwater-mariadb-${version}-${process.getuid?.() ?? 0}`)
  if (existsSync(kept)) return kept
  const made = mkdtempSync(`${kept}-`)
  await run(install, [
    '--no-defaults',
    ...userArgument(),
    `--datadir=${made}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
    '--basedir=/usr',
    '--innodb-log-file-size=8M',
  ])
  try {
    renameSync(made, kept)
  } catch {
    // Another test was quicker.
    rmSync(made, { recursive: true, force: true })
  }
  return kept
}

/** mariadbd refuses to run as root unless it is told to. */
function userArgument(): string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : []
}
