import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findProgram } from './find-program.ts'

const run = promisify(execFile)

/** `testkit/`, from `src/` as from `dist/`. */
const TESTKIT = fileURLToPath(new URL('..', import.meta.url))

/** Java and, unless the jars are there already, Maven: their names, or undefined when one is missing. */
export function findJavaFor(name: string): string | undefined {
  if (findProgram('java') === undefined) return undefined
  if (existsSync(mavenJarsFolder(name))) return 'java'
  return findProgram('mvn') && 'java, mvn'
}

/** What to tell whoever has not both. */
export const JAVA_MISSING = 'needs Java 17 and Maven (Debian: openjdk-17-jre-headless, maven)'

/** Where the jars of `testkit/maven/<name>/pom.xml` are kept; another pom, another folder. */
export function mavenJarsFolder(name: string): string {
  const pom = readFileSync(join(TESTKIT, 'maven', name, 'pom.xml'))
  const hash = createHash('sha256').update(pom).digest('hex').slice(0, 12)
  return join(TESTKIT, '.services', `${name}-${hash}`)
}

/**
 * The folder with all jars of `testkit/maven/<name>/pom.xml`, fetched with Maven when it is asked for the first time (a
 * minute or so). Several test files may ask at once: one fetches, the others wait.
 */
export async function mavenJars(name: string): Promise<string> {
  const folder = mavenJarsFolder(name)
  mkdirSync(join(folder, '..'), { recursive: true })
  const lock = `${folder}.lock`
  const deadline = Date.now() + 600_000
  while (!existsSync(folder)) {
    if (takeLock(lock)) {
      try {
        if (!existsSync(folder)) await fetchJars(name, folder)
      } finally {
        rmSync(lock, { force: true })
      }
    } else {
      if (Date.now() > deadline)
        throw new Error(`${lock} is held for over 10 minutes: remove it if nobody fetches jars`)
      await new Promise(resolve => setTimeout(resolve, 200))
    }
  }
  return folder
}

async function fetchJars(name: string, folder: string): Promise<void> {
  const made = `${folder}.${process.pid}`
  rmSync(made, { recursive: true, force: true })
  const pom = join(TESTKIT, 'maven', name, 'pom.xml')
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${made}`]
  try {
    await run('mvn', ['-q', '-B', '-f', pom, ...goal], { timeout: 540_000, maxBuffer: 16 * 1024 * 1024 })
  } catch (error) {
    rmSync(made, { recursive: true, force: true })
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`Maven did not fetch the jars of ${name}. It said: ${(stdout + stderr).slice(-2_000)}`)
  }
  renameSync(made, folder)
}

/** The lock file holds its owner's pid; one whose owner has died is taken over. */
function takeLock(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    try {
      const pid = Number(readFileSync(lock, 'utf8'))
      // An empty file: its owner is between open and write, or died there.
      const isOld = Date.now() - statSync(lock).mtimeMs > 10_000
      if (pid > 0 ? !isAlive(pid) : isOld) rmSync(lock, { force: true })
    } catch {
      // Gone meanwhile.
    }
    return false
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
