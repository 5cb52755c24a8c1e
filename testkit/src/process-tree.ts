import { readdirSync, readFileSync } from 'node:fs'

/** Process ids of all descendants of `pid`, each before its children. Linux only (/proc). */
export function descendants(pid: number): number[] {
  let children: number[] = []
  try {
    children = readdirSync(`/proc/${pid}/task`).flatMap(task =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
  } catch {
    // It has ended meanwhile.
  }
  return children.flatMap(child => [child, ...descendants(child)])
}

/** The command line with spaces between its words; empty when the process has ended. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    return ''
  }
}
