import { createRequire } from 'node:module'
import * as zlib from 'node:zlib'
import { snappyCompress } from 'hyparquet-writer/src/snappy.js'

/** Codecs of archive files: zstd is a third smaller, snappy is read by the oldest readers. */
export type ArchiveCodec = 'zstd' | 'snappy' | 'none'

/** Compresses one page. */
export interface PageCompressor {
  /** Parquet's name of the codec. */
  codec: 'ZSTD' | 'SNAPPY' | 'UNCOMPRESSED'
  compress(page: Uint8Array): Uint8Array
}

/** Higher levels save 3 % of the bytes for twice the CPU on our columns (docs/decisions/parquet-writer.md). */
const ZSTD_LEVEL = 1

/** The compressor of a codec. zstd comes from node:zlib where Node has it (22.15, 23.8 and later), else from WebAssembly. */
export async function pageCompressor(codec: ArchiveCodec): Promise<PageCompressor> {
  if (codec === 'none') return { codec: 'UNCOMPRESSED', compress: page => page }
  if (codec === 'snappy') return { codec: 'SNAPPY', compress: snappyCompress }
  return { codec: 'ZSTD', compress: nativeZstd() ?? (await wasmZstd()) }
}

/** Node 20's types do not know these yet. */
interface ZstdOfZlib {
  zstdCompressSync?: (input: Uint8Array, options: { params: Record<number, number> }) => Uint8Array
  constants: { ZSTD_c_compressionLevel?: number }
}

function nativeZstd(): ((page: Uint8Array) => Uint8Array) | undefined {
  const { zstdCompressSync, constants } = zlib as unknown as ZstdOfZlib
  if (zstdCompressSync === undefined || constants.ZSTD_c_compressionLevel === undefined) return undefined
  const options = { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } }
  return page => zstdCompressSync(page, options)
}

type ZstdWasm = { init(): Promise<void>; compress(input: Uint8Array, level: number): Uint8Array }
let wasm: Promise<ZstdWasm> | undefined

async function wasmZstd(): Promise<(page: Uint8Array) => Uint8Array> {
  wasm ??= (async () => {
    // Loaded only where it is needed, and by `require`: the package is CommonJS and finds its .wasm beside itself.
    const zstd = createRequire(import.meta.url)('@bokuweb/zstd-wasm') as ZstdWasm
    await zstd.init()
    return zstd
  })()
  const { compress } = await wasm
  return page => {
    const packed = compress(page, ZSTD_LEVEL)
    // The module is one for the whole process, and a second `init` elsewhere makes it give garbage (seen in a test).
    if (packed[0] !== 0x28 || packed[1] !== 0xb5 || packed[2] !== 0x2f || packed[3] !== 0xfd) {
      throw new Error('zstd gave what is no zstd frame: @bokuweb/zstd-wasm was initialised twice.')
    }
    return packed
  }
}
