import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { hdfsChecksumOf } from './hdfs-checksum.ts'
import type { HdfsStatus, WebHdfsClient } from './webhdfs-client.ts'

/** What stands in HDFS is not what was sent. */
export class UploadDiffers extends Error {
  constructor(path: string, expected: string, found: string) {
    super(`${path} must have ${expected} after its upload. Found: ${found}`)
    this.name = 'UploadDiffers'
  }
}

const CLOSE_LIMIT_MS = 5_000
const READ_BACK_BYTES = 8 * 1024 * 1024

/**
 * Uploads a local file to a new path and makes sure that it stands there whole: length, closed, content. Resolves with its
 * status. A DataNode takes a cut body for a whole file, so that neither 201 to somebody nor a file to be seen proves anything.
 */
export async function uploadVerified(
  client: WebHdfsClient,
  localFile: string,
  path: string,
  blockSize: number | undefined,
): Promise<HdfsStatus> {
  const bytes = (await stat(localFile)).size
  await client.create(path, { bytes, open: () => createReadStream(localFile) }, blockSize)
  const found = await client.status(path)
  if (found?.type !== 'FILE' || found.bytes !== bytes) {
    throw new UploadDiffers(path, `${bytes} bytes`, found === undefined ? 'no file' : `${found.bytes} bytes`)
  }
  await mustBeClosed(client, path)
  if (bytes > 0) await mustBeEqual(client, localFile, found, path)
  return found
}

async function mustBeClosed(client: WebHdfsClient, path: string): Promise<void> {
  for (const deadline = performance.now() + CLOSE_LIMIT_MS; (await client.isClosed(path)) === false; await pause(100)) {
    if (performance.now() > deadline) throw new UploadDiffers(path, 'no writer', 'one')
  }
}

async function mustBeEqual(
  client: WebHdfsClient,
  localFile: string,
  { bytes, blockSize }: HdfsStatus,
  path: string,
): Promise<void> {
  const theirs = await client.checksum(path)
  const ours = theirs && (await hdfsChecksumOf(localFile, theirs.algorithm, blockSize))
  if (theirs !== undefined && ours !== undefined) {
    if (theirs.md5 !== ours) throw new UploadDiffers(path, `the checksum ${ours}`, theirs.md5)
    return
  }
  // Erasure coding, another checksum: all of it is read back.
  const there = createHash('sha256')
  for (let from = 0; from < bytes; from += READ_BACK_BYTES) {
    there.update(await client.read(path, from, Math.min(bytes, from + READ_BACK_BYTES)))
  }
  const here = createHash('sha256')
  for await (const chunk of createReadStream(localFile)) here.update(chunk as Buffer)
  const [found, expected] = [there.digest('hex'), here.digest('hex')]
  if (found !== expected) throw new UploadDiffers(path, `the SHA-256 ${expected}`, found)
}
