import { setTimeout as pause } from 'node:timers/promises'
import { exchange, type HttpAnswer, HttpFault } from './http-exchange.ts'
import { isRefusal, NameNodesAway, refusalIn, WebHdfsError } from './webhdfs-error.ts'

export interface NameNodesOptions {
  /** `http://nn1:9870`, of one cluster; the active one is found. A path is kept, as gateways have one. */
  nameNodes: readonly string[]
  /** `user.name` of every call (simple authentication). */
  user: string
  /** Longest time of one call to one NameNode, ms. */
  nameNodeMs: number
  ca?: string | undefined
}

/** One call to the NameNode. */
export interface NameNodeCall {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  op: string
  /** Absolute. */
  path: string
  params?: Readonly<Record<string, string>>
  /** Whether a second time does no harm, so that the next NameNode may be asked after silence. */
  repeatable: boolean
  /** Longest answer; 1 MiB by default. */
  maxBytes?: number
}

/** An answer that is no refusal, and who gave it. */
export interface NameNodeAnswer extends HttpAnswer {
  from: URL
}

/** A NameNode that is not the active one, or not yet. */
const ASK_ANOTHER = ['StandbyException', 'RetriableException', 'RetryOnActiveException'] as const
const ROUNDS = 2
const ROUND_PAUSE_MS = 250
const MAX_ANSWER_BYTES = 1024 * 1024

/**
 * The NameNodes of a cluster as one. A call goes to the one that answered last, then to the others; one that said nothing in
 * time is not asked again within the call. Rejects with WebHdfsError for what the NameNode refuses, with NameNodesAway when
 * none of them answers.
 */
export class NameNodes {
  readonly urls: readonly URL[]
  readonly #options: NameNodesOptions
  #active = 0

  constructor(options: NameNodesOptions) {
    this.#options = options
    this.urls = options.nameNodes.map(nameNodeUrl)
    if (this.urls.length === 0) throw new TypeError('At least one NameNode is needed. Found: none.')
  }

  /** The next call begins with another NameNode: a DataNode said that this one is not the active one. */
  rotate(): void {
    this.#active = (this.#active + 1) % this.urls.length
  }

  async call(call: NameNodeCall): Promise<NameNodeAnswer> {
    const faults: (HttpFault | WebHdfsError)[] = []
    const silent = new Set<URL>()
    for (let round = 0; round < ROUNDS; round++) {
      if (round > 0) await pause(ROUND_PAUSE_MS)
      const first = this.#active
      for (let i = 0; i < this.urls.length; i++) {
        const index = (first + i) % this.urls.length
        const from = this.urls[index] as URL
        if (silent.has(from)) continue
        try {
          const answer = await this.#ask(from, call)
          this.#active = index
          return { ...answer, from }
        } catch (error) {
          const isAnswer = error instanceof HttpFault ? error.code === 'TOO_LONG' : !isAway(error)
          if (isAnswer) this.#active = index
          if (isAnswer || !(error instanceof HttpFault || error instanceof WebHdfsError)) throw error
          faults.push(error)
          if (error instanceof HttpFault) {
            if (error.code === 'TIMEOUT') silent.add(from)
            if (error.sent && !call.repeatable) throw new NameNodesAway(faults)
          }
        }
      }
    }
    throw new NameNodesAway(faults)
  }

  async #ask(nameNode: URL, call: NameNodeCall): Promise<HttpAnswer> {
    const { user, nameNodeMs, ca } = this.#options
    const url = new URL(nameNode)
    url.pathname = `${url.pathname}${encodedPath(call.path)}`
    url.search = new URLSearchParams({ op: call.op, 'user.name': user, ...call.params })
      .toString()
      .replaceAll('+', '%20')
    const answer = await exchange({
      method: call.method,
      url,
      // A filter against forged requests wants this header, whatever its value.
      headers: { 'x-xsrf-header': 'headwater' },
      idleMs: nameNodeMs,
      totalMs: nameNodeMs,
      maxBytes: call.maxBytes ?? MAX_ANSWER_BYTES,
      ca,
    })
    const refusal = refusalIn(answer, nameNode.host)
    if (refusal !== undefined) throw refusal
    return answer
  }
}

/** A NameNode that starts or stands by, or a proxy in front of one that is gone. */
function isAway(error: unknown): error is WebHdfsError {
  return isRefusal(error, ...ASK_ANOTHER) || (isRefusal(error, 'NoWebHdfs') && error.status >= 502)
}

function nameNodeUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '') {
    // Never the text itself: it may hold a password.
    throw new TypeError(
      `A NameNode is named as http://host:9870 or https://host:9871. Found: ${url?.host || 'something else'}.`,
    )
  }
  url.pathname = `${url.pathname.replace(/\/+$/, '').replace(/\/webhdfs\/v1$/, '')}/webhdfs/v1`
  return url
}

/** Percent-encoded once, by component: WebHDFS takes `+`, `=` and the like literally then. */
function encodedPath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}
