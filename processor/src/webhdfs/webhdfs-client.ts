import { type DataNodeRules, dataNodeAddress } from './data-node-address.ts'
import { exchange, type HttpAnswer, type HttpBody, HttpFault } from './http-exchange.ts'
import { type NameNodeAnswer, type NameNodeCall, NameNodes } from './name-nodes.ts'
import { isRefusal, refusalIn, WebHdfsError } from './webhdfs-error.ts'

/** Limits on time, ms. */
export interface WebHdfsTimeouts {
  /** One call to one NameNode. Default 15 000. */
  nameNodeMs: number
  /** Silence of a DataNode. Default 30 000. */
  idleMs: number
  /** One upload or download. Default 600 000. */
  transferMs: number
}

export const DEFAULT_WEBHDFS_TIMEOUTS: WebHdfsTimeouts = { nameNodeMs: 15_000, idleMs: 30_000, transferMs: 600_000 }

export interface WebHdfsOptions {
  /** `http://nn1:9870`, all of one cluster. */
  nameNodes: readonly string[]
  /** The HDFS user. */
  user: string
  dataNodes?: DataNodeRules
  timeouts?: Partial<WebHdfsTimeouts>
  /** Authorities to trust for `https:` instead of Node's own list, PEM. */
  ca?: string | undefined
}

/** What GETFILESTATUS and LISTSTATUS say of one file or folder. */
export interface HdfsStatus {
  /** Name within the folder that was listed; empty for the path itself. */
  name: string
  type: 'FILE' | 'DIRECTORY' | 'SYMLINK'
  bytes: number
  /** Unix ms. */
  modifiedAt: number
  blockSize: number
  /** Stays the same over renames, and is given to no other file. */
  fileId: number
}

/** GETFILECHECKSUM: `algorithm` is `MD5-of-0MD5-of-512CRC32C` or another; `md5` in hex. */
export interface HdfsChecksum {
  algorithm: string
  md5: string
}

const TRIES = 3
const MAX_LISTING_BYTES = 64 * 1024 * 1024
const MAX_ANSWER_BYTES = 64 * 1024
/**
 * What a DataNode says when its own connection to the NameNode broke: the first call that passes through it after a restart of
 * the NameNode fails so, the next one has a new connection.
 */
const LOST_ITS_NAMENODE = ['EOFException', 'SocketException', 'ConnectException'] as const
const NO_DATA_NODE = /Failed to find datanode/

/**
 * WebHDFS over REST: only what a store of files needs. Paths are absolute.
 *
 * Every method rejects with WebHdfsError for a refusal, NameNodesAway when no NameNode answers, HttpFault when a DataNode
 * does not, RedirectRefused when the NameNode sends us to a host that is not allowed. Calls without effect, or with one that
 * may be had twice, are repeated a few times; `create` and `rename` are not.
 */
export class WebHdfsClient {
  readonly #options: WebHdfsOptions
  readonly #timeouts: WebHdfsTimeouts
  readonly #nameNodes: NameNodes

  constructor(options: WebHdfsOptions) {
    this.#options = options
    this.#timeouts = { ...DEFAULT_WEBHDFS_TIMEOUTS, ...options.timeouts }
    this.#nameNodes = new NameNodes({ ...options, nameNodeMs: this.#timeouts.nameNodeMs })
  }

  /** `undefined` when there is nothing at `path`. */
  async status(path: string): Promise<HdfsStatus | undefined> {
    try {
      const answer = await this.#nameNodes.call({ method: 'GET', op: 'GETFILESTATUS', path, repeatable: true })
      return statusOf(field(answer, 'FileStatus'), answer)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  /** What is in a folder; `undefined` when there is no such folder. A file lists itself, with an empty name. */
  async list(path: string): Promise<HdfsStatus[] | undefined> {
    const call = { method: 'GET', op: 'LISTSTATUS', path, repeatable: true, maxBytes: MAX_LISTING_BYTES } as const
    try {
      const answer = await this.#nameNodes.call(call)
      const { FileStatus } = field(answer, 'FileStatuses')
      if (!Array.isArray(FileStatus)) throw strange(answer)
      return FileStatus.map(entry => statusOf(entry, answer))
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  /** Makes a folder with all above it; one that is there is fine. */
  async mkdirs(path: string): Promise<void> {
    const answer = await this.#nameNodes.call({ method: 'PUT', op: 'MKDIRS', path, repeatable: true })
    if (!isTrue(answer)) throw strange(answer)
  }

  /**
   * Uploads a new file; resolves when HDFS has closed it. Rejects with FileAlreadyExistsException or
   * AlreadyBeingCreatedException when the name is taken, without a look at the content. After any other rejection a part of
   * the file may be there, closed and readable as if it were whole: a DataNode takes a cut body for the end of the file.
   */
  async create(path: string, body: HttpBody, blockSize?: number): Promise<void> {
    const params = { overwrite: 'false', ...(blockSize !== undefined && { blocksize: String(blockSize) }) }
    const call: NameNodeCall = { method: 'PUT', op: 'CREATE', path, params, repeatable: true }
    try {
      const { status, host } = await this.#atDataNode(call, body, MAX_ANSWER_BYTES)
      // 201 alone means closed.
      if (status !== 201) throw new WebHdfsError('NoWebHdfs', `status ${status} where 201 must stand`, status, host)
    } catch (error) {
      if (isRefusal(error, 'StandbyException')) this.#nameNodes.rotate()
      throw error
    }
  }

  /** Bytes [from, to), fewer when the file ends before. */
  async read(path: string, from: number, to: number): Promise<Buffer> {
    const length = to - from
    if (length <= 0) return Buffer.alloc(0)
    const params = { offset: String(from), length: String(length) }
    try {
      const call: NameNodeCall = { method: 'GET', op: 'OPEN', path, params, repeatable: true }
      return (await this.#atDataNode(call, undefined, length)).body
    } catch (error) {
      // The answer to an offset at or behind the end.
      if (isRefusal(error, 'IOException') && error.message.includes('out of the range')) return Buffer.alloc(0)
      throw error
    }
  }

  /** Whether nobody writes the file any more; `undefined` when the server does not tell. */
  async isClosed(path: string): Promise<boolean | undefined> {
    try {
      const call = { method: 'GET', op: 'GET_BLOCK_LOCATIONS', path, repeatable: true } as const
      const found = field(await this.#nameNodes.call(call), 'LocatedBlocks')
      if (typeof found.isUnderConstruction !== 'boolean') return undefined
      // An empty file has no last block.
      return !found.isUnderConstruction && (found.isLastBlockComplete !== false || found.fileLength === 0)
    } catch (error) {
      if (isUnsupported(error)) return undefined
      throw error
    }
  }

  /** HDFS's own checksum; `undefined` when the server does not tell. */
  async checksum(path: string): Promise<HdfsChecksum | undefined> {
    try {
      const call: NameNodeCall = { method: 'GET', op: 'GETFILECHECKSUM', path, repeatable: true }
      const answer = await this.#atDataNode(call, undefined, MAX_ANSWER_BYTES)
      const { algorithm, bytes } = field(answer, 'FileChecksum')
      // Bytes for each checksum (4), checksums for each block (8), MD5 (16), padding.
      return typeof algorithm === 'string' && typeof bytes === 'string'
        ? { algorithm, md5: bytes.slice(24, 56) }
        : undefined
    } catch (error) {
      if (isUnsupported(error)) return undefined
      throw error
    }
  }

  /**
   * Renames a file. `NONE` never replaces and never moves into a folder. 'refused': a server that does not know the option
   * said no without a reason. When the rejection is NameNodesAway and `sent`, it may have happened or happen yet.
   */
  async rename(from: string, to: string, option: 'NONE' | 'OVERWRITE'): Promise<'renamed' | 'refused'> {
    const params = { destination: to, renameoptions: option }
    const answer = await this.#nameNodes.call({ method: 'PUT', op: 'RENAME', path: from, params, repeatable: false })
    return answer.body.length === 0 || isTrue(answer) ? 'renamed' : 'refused'
  }

  /** Removes a file or an empty folder; one that is gone is fine. */
  async remove(path: string): Promise<void> {
    const params = { recursive: 'false' }
    await this.#nameNodes.call({ method: 'DELETE', op: 'DELETE', path, params, repeatable: true })
  }

  /**
   * The two steps: the NameNode names a DataNode, and that one does it. A DataNode that cannot be reached is left out of the
   * next try; the NameNode goes on naming a dead one for ten minutes. With a body there is no next try once one was reached;
   * without, there is also one after a DataNode that had lost the NameNode.
   */
  async #atDataNode(
    call: NameNodeCall,
    body: HttpBody | undefined,
    maxBytes: number,
  ): Promise<HttpAnswer & { host: string }> {
    const excluded: string[] = []
    let fault: HttpFault | undefined
    for (let attempt = 1; ; attempt++) {
      const url = await this.#locate(call, excluded).catch(error => {
        // All are excluded: why the first one failed says more.
        throw fault !== undefined && NO_DATA_NODE.test((error as Error).message) ? fault : error
      })
      try {
        const answer = await exchange({
          method: call.method,
          url,
          headers: { 'content-type': 'application/octet-stream', 'x-xsrf-header': 'headwater' },
          ...(body && { body }),
          idleMs: this.#timeouts.idleMs,
          totalMs: this.#timeouts.transferMs,
          maxBytes,
          ca: this.#options.ca,
        })
        const refusal = refusalIn(answer, url.host)
        if (refusal !== undefined) throw refusal
        return { ...answer, host: url.host }
      } catch (error) {
        if (body === undefined && attempt < TRIES && isRefusal(error, ...LOST_ITS_NAMENODE)) continue
        if (!(error instanceof HttpFault) || error.code === 'TOO_LONG') throw error
        if (attempt === TRIES || (body !== undefined && error.sent)) throw error
        fault = error
        if (error.address !== undefined) excluded.push(error.address)
      }
    }
  }

  async #locate(call: NameNodeCall, excluded: readonly string[]): Promise<URL> {
    const params: Record<string, string> = { ...call.params, noredirect: 'true' }
    if (excluded.length > 0) params.excludedatanodes = excluded.join(',')
    const answer = await this.#nameNodes.call({ ...call, params })
    // A server that does not know `noredirect` redirects.
    const location = answer.status === 307 ? answer.headers.location : fieldOrNone(answer).Location
    if (typeof location !== 'string') throw strange(answer)
    return dataNodeAddress(location, answer.from, this.#nameNodes.urls, this.#options.dataNodes ?? {})
  }
}

/** Nothing there: also below a file. A 404 without JSON is no answer of WebHDFS. */
function isMissing(error: unknown): boolean {
  return isRefusal(error, 'FileNotFoundException', 'ParentNotDirectoryException')
}

/** The operation is not known, or not for this kind of file. */
function isUnsupported(error: unknown): boolean {
  return isRefusal(
    error,
    'IllegalArgumentException',
    'UnsupportedOperationException',
    'PathHandleNotFoundException',
    'QueryParamException',
  )
}

function statusOf(entry: unknown, answer: NameNodeAnswer): HdfsStatus {
  const { pathSuffix, type, length, modificationTime, blockSize, fileId } = (entry ?? {}) as Record<string, unknown>
  if (typeof type !== 'string' || !Number.isSafeInteger(length)) throw strange(answer)
  return {
    name: String(pathSuffix ?? ''),
    type: type as HdfsStatus['type'],
    bytes: length as number,
    modifiedAt: Number(modificationTime),
    blockSize: Number(blockSize),
    fileId: Number(fileId ?? 0),
  }
}

function field(answer: HttpAnswer & { from?: URL; host?: string }, name: string): Record<string, unknown> {
  const value = fieldOrNone(answer)[name]
  if (typeof value !== 'object' || value === null) throw strange(answer)
  return value as Record<string, unknown>
}

function fieldOrNone(answer: HttpAnswer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(answer.body.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function isTrue(answer: HttpAnswer): boolean {
  return fieldOrNone(answer).boolean === true
}

function strange(answer: HttpAnswer & { from?: URL; host?: string }): WebHdfsError {
  const text = answer.body.toString('utf8').slice(0, 200)
  const host = answer.from?.host ?? answer.host ?? ''
  return new WebHdfsError('NoWebHdfs', `status ${answer.status}, ${text || 'empty'}`, answer.status, host)
}
