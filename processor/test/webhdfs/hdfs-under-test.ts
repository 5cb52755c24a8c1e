import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Hdfs, startHdfs } from '@headwater/testkit'
import { pino } from 'pino'
import { isRetryable } from '../../src/insist.ts'
import {
  type WebHdfsFileStore,
  type WebHdfsFileStoreOptions,
  webhdfsFileStore,
} from '../../src/stores/webhdfs-file-store.ts'
import { WebHdfsClient, type WebHdfsOptions } from '../../src/webhdfs/webhdfs-client.ts'

/** The user that tests write as; no superuser, so that permissions count. */
export const USER = 'headwater'

/** A running HDFS and clients of it. */
export interface HdfsUnderTest {
  hdfs: Hdfs
  /** Of `USER`, or of another. */
  clientOptions(user?: string): WebHdfsOptions
  client: WebHdfsClient
  /** A new folder that belongs to `USER`. */
  newRoot(): Promise<string>
  newStore(options?: Partial<WebHdfsFileStoreOptions>): Promise<WebHdfsFileStore>
  /** One more store of a folder. */
  storeIn(root: string, options?: Partial<WebHdfsFileStoreOptions>): WebHdfsFileStore
  /** One WebHDFS call as the superuser, or as `USER`; resolves with the status. */
  asSuperuser(method: string, path: string, query: string): Promise<number>
  asUser(method: string, path: string, query: string): Promise<number>
}

/**
 * Makes a call until it succeeds, as the users of a store do while an error is retryable: a DataNode may be late with a block,
 * or hold a connection to a NameNode that is gone. `failed` is told of each attempt in vain.
 */
export async function insist<T>(call: () => Promise<T>, failed?: () => void): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!isRetryable(error)) throw error
      failed?.()
      await pause(200)
    }
  }
}

/** Starts an HDFS with permissions on. */
export async function hdfsUnderTest(): Promise<HdfsUnderTest> {
  const hdfs = await startHdfs({ permissions: true })
  const clientOptions = (user = USER): WebHdfsOptions => ({
    nameNodes: [hdfs.nameNodeUrl],
    user,
    dataNodes: { allow: [hdfs.dataNode] },
    timeouts: { nameNodeMs: 10_000, idleMs: 20_000 },
  })
  const as =
    (user: string) =>
    async (method: string, path: string, query: string): Promise<number> => {
      const answer = await fetch(`${hdfs.nameNodeUrl}/webhdfs/v1${path}?user.name=${user}&${query}`, { method })
      await answer.arrayBuffer()
      return answer.status
    }
  const asSuperuser = as(hdfs.superuser)
  const newRoot = async (): Promise<string> => {
    const root = `/${randomUUID()}`
    await asSuperuser('PUT', root, 'op=MKDIRS')
    await asSuperuser('PUT', root, `op=SETOWNER&owner=${USER}`)
    return root
  }
  const storeIn = (root: string, options?: Partial<WebHdfsFileStoreOptions>): WebHdfsFileStore =>
    webhdfsFileStore({ ...clientOptions(), root, log: pino({ level: 'silent' }), ...options })
  return {
    hdfs,
    clientOptions,
    client: new WebHdfsClient(clientOptions()),
    newRoot,
    newStore: async options => storeIn(await newRoot(), options),
    storeIn,
    asSuperuser,
    asUser: as(USER),
  }
}
