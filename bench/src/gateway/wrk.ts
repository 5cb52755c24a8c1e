import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'

/** What wrk saw. */
export interface WrkResult {
  requests: number
  /** Answers that were no 2xx or 3xx, and socket errors. */
  failed: number
  p99Ms: number
}

/** Whether wrk (https://github.com/wg/wrk) is installed. */
export function hasWrk(): boolean {
  try {
    // `wrk -v` prints its version and exits with 1.
    execFileSync('sh', ['-c', 'command -v wrk'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** One thread, keep-alive, `seconds` long. */
export async function runWrk(
  url: string,
  options: { connections: number; seconds: number; userAgent: string; scriptFile: string | undefined },
): Promise<WrkResult> {
  const args = ['-t1', `-c${options.connections}`, `-d${options.seconds}s`, '--latency']
  args.push('-H', `User-Agent: ${options.userAgent}`)
  if (options.scriptFile !== undefined) args.push('-s', options.scriptFile)
  const { stdout } = await promisify(execFile)('wrk', [...args, url])
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? 0)
  const p99 = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout)
  const requests = number(/(\d+) requests in/)
  if (p99 === null || requests === 0) throw new Error(`wrk said nothing that can be read:\n${stdout}`)
  const socketErrors =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)?.slice(1) ?? []
  return {
    requests,
    failed: number(/Non-2xx or 3xx responses: (\d+)/) + socketErrors.reduce((sum, text) => sum + Number(text), 0),
    p99Ms: Number(p99[1]) * { us: 0.001, ms: 1, s: 1000 }[p99[2] as 'us' | 'ms' | 's'],
  }
}
