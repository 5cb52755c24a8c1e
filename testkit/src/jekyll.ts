import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram, isExecutable } from './find-program.ts'

/** Installs Jekyll with the theme where the project's shared folder lies beside the repository; CI runs it as root. */
const INSTALLER = fileURLToPath(new URL('../../../shared/gems/jekyll/install.sh', import.meta.url))

/**
 * The `jekyll` command (`JEKYLL` first, then PATH), or undefined when there is none or `theme`, a gem, is not installed for
 * the Ruby that runs it.
 */
export function findJekyll(theme: string): string | undefined {
  const jekyll = [process.env.JEKYLL ?? ''].find(isExecutable) ?? findProgram('jekyll')
  if (jekyll === undefined) return undefined
  try {
    // The gem command beside it is of the same Ruby.
    const beside = join(dirname(jekyll), 'gem')
    execFileSync(isExecutable(beside) ? beside : 'gem', ['list', '--silent', '--installed', theme], { stdio: 'ignore' })
    return jekyll
  } catch {
    return undefined
  }
}

/** What to tell whoever has no Jekyll. */
export function jekyllMissing(theme: string): string {
  const how = existsSync(INSTALLER)
    ? 'run ../shared/gems/jekyll/install.sh'
    : `install Jekyll 4.3 and the gem ${theme}, or set JEKYLL`
  return `no jekyll with ${theme}: ${how}`
}

export interface JekyllBuild {
  jekyll: string
  source: string
  destination: string
  /** `JEKYLL_ENV`. */
  environment: 'development' | 'production'
  /** Configuration files laid over `_config.yml`, key by key. */
  configs?: readonly string[]
}

/**
 * Builds a site as `jekyll build` does, with the installed gems whatever the site's Gemfile asks for. Throws with Jekyll's
 * output when it fails.
 */
export function buildJekyllSite(build: JekyllBuild): void {
  const configs = [join(build.source, '_config.yml'), ...(build.configs ?? [])]
  execFileSync(
    build.jekyll,
    [
      'build',
      '--source',
      build.source,
      '--destination',
      build.destination,
      '--config',
      configs.join(','),
      '--disable-disk-cache',
    ],
    {
      stdio: 'pipe',
      // Ruby reads files in the locale's encoding: without one, as in CI, a Korean file name would be an error.
      env: {
        ...process.env,
        JEKYLL_ENV: build.environment,
        JEKYLL_NO_BUNDLER_REQUIRE: 'true',
        LANG: 'C.UTF-8',
        LC_ALL: 'C.UTF-8',
      },
    },
  )
}
