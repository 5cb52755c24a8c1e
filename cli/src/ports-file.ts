import { renameSync, rmSync, writeFileSync } from 'node:fs'

/**
 * `ports.json`: the ports that the running process chose. Scripts wait for it: it is there while the process answers, and whole.
 * Only after a kill an old one stays until the next process has the folder.
 */
export function writePorts(file: string, ports: { gateway: number; metrics: number }): void {
  const temporary = `${file}.tmp`
  writeFileSync(temporary, `${JSON.stringify(ports)}\n`)
  renameSync(temporary, file)
}

export function clearPorts(file: string): void {
  rmSync(file, { force: true })
}
