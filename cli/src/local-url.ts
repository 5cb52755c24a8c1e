/** Where a server of ours that listens on `host` is reached from this machine: an unspecified address is its loopback. */
export function reachable(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
}

/** `http://127.0.0.1:9464`, `http://[::1]:9464` */
export function localUrl(host: string, port: number): string {
  const near = reachable(host)
  return `http://${near.includes(':') ? `[${near}]` : near}:${port}`
}
