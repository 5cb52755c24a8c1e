import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.xml': 'application/xml',
}

/** A folder as a web site of its own origin. */
export interface ServedFolder {
  /** `http://127.0.0.1:port`. */
  origin: string
  close(): Promise<void>
}

/**
 * Serves a built site on a free loopback port as static hosts do: a folder is its `index.html`, the rest 404. With
 * `fallback`, a file of the folder, every path without an extension that is no file gets that one: what a single-page
 * application asks of its host.
 */
export async function serveFolder(folder: string, fallback?: string): Promise<ServedFolder> {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://site').pathname))
    const page = extname(path) === ''
    const candidates = page ? [join(path, 'index.html'), ...(fallback === undefined ? [] : [fallback])] : [path]
    for (const candidate of candidates) {
      try {
        const body = await readFile(join(folder, candidate))
        response.setHeader('content-type', TYPES[extname(candidate)] ?? 'application/octet-stream')
        response.end(body)
        return
      } catch {
        // The next one.
      }
    }
    response.writeHead(404).end()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
