import { type ByteString, escapeNginx, type LogFormat } from '@headwater/core'
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

/** The head of a line and its tail; between them stand `$request`, the status and the length of the answer. */
export interface LineFrame {
  head: string
  agents: string
}

/** Makes log lines as NGINX writes them, in this process's zone. Pure ASCII, with the newline. */
export class LogLines {
  readonly #format: LogFormat
  readonly #nextId = requestIds()
  #second = Number.NaN
  #timeLocal = ''
  #ms = Number.NaN
  #msec = ''

  constructor(format: LogFormat) {
    this.#format = format
  }

  /** What the lines of one request have in common. */
  frame(visitor: Visitor, now: number): LineFrame {
    if (now !== this.#ms) {
      this.#ms = now
      this.#msec = msec(now)
      const second = Math.floor(now / 1000)
      if (second !== this.#second) {
        this.#second = second
        this.#timeLocal = timeLocal(now)
      }
    }
    const user = visitor.user === undefined ? '-' : escaped(visitor.user)
    const agents = `"${variable(visitor.referer)}" "${variable(visitor.userAgent)}"`
    return {
      head: `${visitor.address} - ${user} [${this.#timeLocal}] "`,
      agents: this.#format === 'combined' ? `${agents}\n` : `${agents} "${variable(visitor.forwardedFor)}"`,
    }
  }

  /** One line, right after `frame`. `bytes`: the length of the answer's body. */
  line(frame: LineFrame, request: ByteString, status: number, bytes: number, body: ByteString | undefined): string {
    const line = `${frame.head}${escaped(request)}" ${status} ${bytes} ${frame.agents}`
    if (this.#format === 'combined') return line
    if (this.#format === 'combined_xff') return `${line}\n`
    return `${line} ${this.#nextId()} ${this.#msec} "${variable(body)}"\n`
  }
}
