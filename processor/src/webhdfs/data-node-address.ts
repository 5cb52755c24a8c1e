/** Which hosts a NameNode may send us to. */
export interface DataNodeRules {
  /**
   * Where a DataNode is reached, when not under the name that it gave the NameNode: `{ 'dn1.internal': '10.0.0.7' }`, with
   * ports `{ 'dn1:9864': 'localhost:19864' }`. What is named here is allowed.
   */
  hosts?: Readonly<Record<string, string>>
  /**
   * `host:port`, where the host may be `*` or begin with `*.`. Default: any host at the DataNodes' own ports, 9864 and 9865
   * (HTTPS). The NameNodes themselves are always allowed: a gateway redirects to itself.
   */
  allow?: readonly string[]
}

export const DEFAULT_DATA_NODES: readonly string[] = ['*:9864', '*:9865']

/** The NameNode sends us where we must not go. */
export class RedirectRefused extends Error {
  constructor(found: string, expected: string) {
    super(`a redirect must lead to ${expected}. Found: ${found}`)
    this.name = 'RedirectRefused'
  }
}

/**
 * Where a request goes that was redirected to `location` by the NameNode at `from`. A redirect is followed with a whole file
 * in hand: whoever can forge one answer of a NameNode could otherwise have us send requests to any host of our network.
 * Throws RedirectRefused.
 */
export function dataNodeAddress(location: string, from: URL, nameNodes: readonly URL[], rules: DataNodeRules): URL {
  let url: URL
  try {
    url = new URL(location, from)
  } catch {
    throw new RedirectRefused(location.slice(0, 200), 'a URL')
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new RedirectRefused(url.protocol, 'http or https')
  if (from.protocol === 'https:' && url.protocol !== 'https:') throw new RedirectRefused(url.protocol, 'https')
  if (url.username !== '' || url.password !== '') throw new RedirectRefused('a URL with a password', 'one without')

  const port = portOf(url)
  const mapped = rules.hosts?.[`${url.hostname}:${port}`] ?? rules.hosts?.[url.hostname]
  if (mapped !== undefined) {
    const [, host = mapped, mappedPort] = /^(.*?)(?::(\d+))?$/.exec(mapped) ?? []
    url.hostname = host
    url.port = mappedPort ?? port
    return url
  }
  if (nameNodes.some(nameNode => nameNode.host === url.host)) return url
  const allow = rules.allow ?? DEFAULT_DATA_NODES
  if (!allow.some(pattern => matches(pattern, url.hostname, port))) {
    throw new RedirectRefused(`${url.hostname}:${port}`, `one of ${allow.join(', ')}`)
  }
  return url
}

function matches(pattern: string, hostname: string, port: string): boolean {
  const colon = pattern.lastIndexOf(':')
  const host = pattern.slice(0, colon).toLowerCase()
  if (pattern.slice(colon + 1) !== port) return false
  if (host === '*') return true
  return host.startsWith('*.') ? hostname.endsWith(host.slice(1)) : hostname === host
}

function portOf(url: URL): string {
  return url.port !== '' ? url.port : url.protocol === 'https:' ? '443' : '80'
}
