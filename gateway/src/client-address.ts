import { BlockList, isIP } from 'node:net'
import { GatewayError } from './gateway-error.ts'
import type { IpMode } from './options.ts'

/** Which addresses are believed when they say for whom they ask. */
export interface TrustedProxies {
  readonly none: boolean
  has(address: string): boolean
}

/** Reads addresses and CIDR ranges, IPv4 and IPv6. Throws OPTIONS_INVALID naming every entry that is neither. */
export function trustedProxies(entries: readonly string[]): TrustedProxies {
  const list = new BlockList()
  const faults: string[] = []
  for (const entry of entries) {
    const slash = entry.indexOf('/')
    const address = slash < 0 ? entry : entry.slice(0, slash)
    const family = isIP(address)
    const longest = family === 4 ? 32 : 128
    const bits = slash < 0 ? longest : /^\d{1,3}$/.test(entry.slice(slash + 1)) ? Number(entry.slice(slash + 1)) : -1
    if (family === 0 || bits < 0 || bits > longest) faults.push(entry)
    else list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6')
  }
  if (faults.length > 0)
    throw new GatewayError(
      'OPTIONS_INVALID',
      `trustedProxies must hold addresses or CIDR ranges. Found: ${faults.join(', ')}.`,
    )
  return {
    none: entries.length === 0,
    has(address) {
      const family = isIP(address)
      return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
    },
  }
}

/** IPv4 that came in over an IPv6 socket (`::ffff:192.0.2.1`) as plain IPv4; anything else as it is. */
export function plainAddress(address: string): string {
  if (!address.startsWith('::ffff:')) return address
  const rest = address.slice(7)
  return isIP(rest) === 4 ? rest : address
}

/** An X-Forwarded-For entry's address: port and brackets removed; undefined when it is none. */
function entryAddress(entry: string): string | undefined {
  let text = entry.trim()
  if (text.startsWith('[')) {
    const end = text.indexOf(']')
    if (end < 0) return undefined
    text = text.slice(1, end)
  } else if (text.indexOf(':') === text.lastIndexOf(':') && text.includes(':')) {
    text = text.slice(0, text.indexOf(':'))
  }
  return isIP(text) === 0 || text.includes('%') ? undefined : plainAddress(text)
}

/** No honest chain of proxies is longer; what stands before it is not looked at. */
const MAX_HOPS = 32

/**
 * The address a request really comes from: the peer, unless it is a trusted proxy; then the rightmost entry of
 * X-Forwarded-For that is not one (all to its left was written by strangers). An entry that is no address ends the walk at
 * the proxy that passed it on.
 */
export function clientAddress(peer: string, forwardedFor: string | undefined, trusted: TrustedProxies): string {
  if (trusted.none || forwardedFor === undefined || forwardedFor === '' || !trusted.has(peer)) return peer
  let client = peer
  let end = forwardedFor.length
  for (let hop = 0; hop < MAX_HOPS && end >= 0; hop++) {
    const comma = end === 0 ? -1 : forwardedFor.lastIndexOf(',', end - 1)
    const address = entryAddress(forwardedFor.slice(comma + 1, end))
    if (address === undefined) return client
    client = address
    if (!trusted.has(address)) return client
    end = comma
  }
  return client
}

/** The address as it may be kept. It runs before the line is written: what is cut off is never on a disk. */
export function anonymisedAddress(address: string, mode: IpMode): string {
  if (mode === 'full') return address
  if (mode === 'none') return '0.0.0.0'
  const family = isIP(address)
  if (family === 4) return `${address.slice(0, address.lastIndexOf('.'))}.0`
  if (family !== 6) return '0.0.0.0'
  const groups = ipv6Groups(address)
  return ipv6Text([groups[0] ?? 0, groups[1] ?? 0, groups[2] ?? 0, 0, 0, 0, 0, 0])
}

/** The eight groups of a valid IPv6 address. A dotted tail is only ever seen in the last two, which nobody keeps. */
export function ipv6Groups(address: string): number[] {
  const [left = '', right] = address.split('::', 2)
  const head = left === '' ? [] : left.split(':').map(group => Number.parseInt(group, 16))
  if (right === undefined) return head
  const tail = right === '' ? [] : right.split(':').map(group => Number.parseInt(group, 16))
  while (head.length + tail.length < 8) head.push(0)
  return [...head, ...tail]
}

/** Eight groups as `inet_ntop` and NGINX write them: lower case, the longest run of two or more zeros as `::`. */
export function ipv6Text(groups: readonly number[]): string {
  let start = -1
  let length = 1
  for (let i = 0; i < 8; i++) {
    let run = i
    while (run < 8 && groups[run] === 0) run++
    if (run - i > length) {
      start = i
      length = run - i
    }
    if (run > i) i = run
  }
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map(group => group.toString(16))
      .join(':')
  return start < 0 ? text(0, 8) : `${text(0, start)}::${text(start + length, 8)}`
}

/** The bytes of a peer's address (4 or 16) as text; IPv4 in IPv6 as plain IPv4. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`
  if (bytes.length !== 16) return ''
  const groups: number[] = []
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0))
  const mapped = groups[5] === 0xffff && groups.slice(0, 5).every(group => group === 0)
  return mapped ? `${bytes[12]}.${bytes[13]}.${bytes[14]}.${bytes[15]}` : ipv6Text(groups)
}
