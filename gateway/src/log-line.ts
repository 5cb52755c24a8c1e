import { type ByteString, escapeNginx, type LogFormat } from '@headwater/core'
import type { BeaconLine, BeaconRequest } from './accept-beacon.ts'
import type { Answer } from './answer.ts'
import { msec, timeLocal } from './log-time.ts'
import { requestIds } from './request-id.ts'

/** What all lines of one request have in common. `undefined` is a header that was not sent; '' one that was empty. */
export interface Visitor {
  /** `$remote_addr`, as it may be kept. */
  address: string
  user: ByteString | undefined
  referer: ByteString | undefined
  userAgent: ByteString | undefined
  forwardedFor: ByteString | undefined
}

/**
 * Anything that NGINX would escape. One pass of a compiled class is the quickest look at a fresh string that JavaScript has:
 * measured on 210 characters, 0.3 µs, against 0.5 for a loop with a table and 0.7 for one that copies as it goes.
 */
const ESCAPABLE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/

function escaped(bytes: ByteString): string {
  return ESCAPABLE.test(bytes) ? escapeNginx(bytes) : bytes
}

function variable(bytes: ByteString | undefined): string {
  return bytes === undefined ? '-' : escaped(bytes)
}

/** The parts of `$request` that are the request's; the query is each line's own. */
export type RequestTarget = Pick<BeaconRequest, 'method' | 'authority' | 'path' | 'protocol'>

/** What all lines of a request have in common: all up to the path, and all from the protocol to the last header. */
export interface LineFrame {
  head: string
  tail: string
}

/**
 * Makes log lines as NGINX writes them, in this process's zone. Pure ASCII, with the newline. Every `+` is an allocation,
 * so what changes with the clock only is joined only when the clock has moved on.
 */
export class LogLines {
  readonly #format: LogFormat
  readonly #nextId = requestIds()
  #second = Number.NaN
  #ms = Number.NaN
  /** ` [$time_local] "` */
  #time = ''
  #timeOfNobody = ''
  /** ` $msec "` */
  #msec = ''
  #msecOfNoBody = ''

  constructor(format: LogFormat) {
    this.#format = format
  }

  /** What the lines of one request have in common. */
  frame(target: RequestTarget, answer: Answer, visitor: Visitor, now: number): LineFrame {
    if (now !== this.#ms) this.#readClock(now)
    const { method, authority, path, protocol } = target
    const { address, user, referer, userAgent, forwardedFor } = visitor
    const when = user === undefined ? this.#timeOfNobody : ` - ${escaped(user)}${this.#time}`
    const agents = ` ${protocol}${answer.logged}${variable(referer)}" "${variable(userAgent)}"`
    return {
      head: `${address}${when}${method} ${escaped(authority)}${escaped(path)}`,
      tail: this.#format === 'combined' ? `${agents}\n` : `${agents} "${variable(forwardedFor)}"`,
    }
  }

  /** One line, right after `frame`. */
  line(frame: LineFrame, { query, isPlain, body }: BeaconLine): string {
    const request = query === undefined ? frame.head : `${frame.head}?${isPlain ? query : escaped(query)}`
    if (this.#format === 'combined') return request + frame.tail
    if (this.#format === 'combined_xff') return `${request}${frame.tail}\n`
    const end = body === undefined ? this.#msecOfNoBody : `${this.#msec}${escaped(body)}"\n`
    return `${request}${frame.tail} ${this.#nextId()}${end}`
  }

  #readClock(now: number): void {
    this.#ms = now
    this.#msec = ` ${msec(now)} "`
    this.#msecOfNoBody = `${this.#msec}-"\n`
    const second = Math.floor(now / 1000)
    if (second === this.#second) return
    this.#second = second
    this.#time = ` [${timeLocal(now)}] "`
    this.#timeOfNobody = ` - -${this.#time}`
  }
}
