import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { type ByteString, MAX_DEAD_LETTER_BYTES, MAX_LINE_BYTES } from '@headwater/core'
import { ProcessorError } from '../errors.ts'

/** Lines of a file, some at a time. */
export interface FileLines {
  /** Without their newlines. */
  lines: readonly ByteString[]
  /** Indexes of lines over 1 MiB: cut to their first 8 KiB. */
  tooLong: readonly number[]
  /** Bytes of the file (compressed ones, where it is) read so far. */
  doneBytes: number
}

const READ_BYTES = 256 * 1024

/** What a file begins with that somebody packed by other means than gzip. */
const OTHER_PACKERS: readonly (readonly [string, string])[] = [
  ['\x28\xb5\x2f\xfd', 'zstd -d'],
  ['BZh', 'bunzip2'],
  ['\xfd7zXZ\x00', 'unxz'],
  ['PK\x03\x04', 'unzip'],
]

/**
 * The lines of a log file, gzipped or not (its first bytes tell, not its name; several gzip members are one file). The
 * last line counts also without a newline. Rejects with STORE_UNAVAILABLE when the file cannot be read or unpacked.
 */
export async function* logFileLines(file: string): AsyncGenerator<FileLines> {
  const head = await firstBytes(file)
  const packer = OTHER_PACKERS.find(([magic]) => head.startsWith(magic))
  if (packer !== undefined)
    throw unreadable(file, `a compressed file that is not gzip. Unpack it first: ${packer[1]} ${file}`)
  const raw = createReadStream(file, { highWaterMark: READ_BYTES })
  const chunks: Readable = head.startsWith('\x1f\x8b')
    ? // The error comes out of the loop below; without a callback it would be an uncaught one as well.
      pipeline(raw, createGunzip({ chunkSize: READ_BYTES }), () => {})
    : raw
  let rest = ''
  /** Of a line that is too long: its first bytes, until its newline comes. */
  let long: string | undefined
  try {
    for await (const chunk of chunks as AsyncIterable<Buffer>) {
      const lines: ByteString[] = []
      const tooLong: number[] = []
      let text = rest + chunk.toString('latin1')
      rest = ''
      if (long !== undefined) {
        const newline = text.indexOf('\n')
        if (newline < 0) continue
        tooLong.push(0)
        lines.push(long)
        long = undefined
        text = text.slice(newline + 1)
      }
      let start = 0
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
        if (end - start > MAX_LINE_BYTES) {
          tooLong.push(lines.length)
          lines.push(text.slice(start, start + MAX_DEAD_LETTER_BYTES))
        } else lines.push(text.slice(start, end))
        start = end + 1
      }
      if (text.length - start > MAX_LINE_BYTES) long = text.slice(start, start + MAX_DEAD_LETTER_BYTES)
      else rest = text.slice(start)
      if (lines.length > 0) yield { lines, tooLong, doneBytes: raw.bytesRead }
    }
  } catch (cause) {
    throw unreadable(file, (cause as Error).message, cause)
  } finally {
    raw.destroy()
  }
  if (long !== undefined) yield { lines: [long], tooLong: [0], doneBytes: raw.bytesRead }
  else if (rest !== '') yield { lines: [rest], tooLong: [], doneBytes: raw.bytesRead }
}

/** The file's size on disk. Rejects with STORE_UNAVAILABLE when it is no file that can be read. */
export async function logFileBytes(file: string): Promise<number> {
  let found: Awaited<ReturnType<typeof stat>>
  try {
    found = await stat(file)
  } catch (cause) {
    throw unreadable(file, (cause as Error).message, cause)
  }
  if (!found.isFile()) throw unreadable(file, 'a folder, or something else that is no file')
  return found.size
}

async function firstBytes(file: string): Promise<ByteString> {
  try {
    const handle = await open(file)
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(8), 0, 8, 0)
      return buffer.toString('latin1', 0, bytesRead)
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw unreadable(file, (cause as Error).message, cause)
  }
}

function unreadable(file: string, found: string, cause?: unknown): ProcessorError {
  return new ProcessorError('STORE_UNAVAILABLE', `${file} must be a log file that can be read. Found: ${found}.`, {
    retryable: true,
    cause,
  })
}
