import { createServer as createHttpServer, request } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Something between us and a server. */
export interface Proxy {
  /** `127.0.0.1:port`. */
  address: string
  close(): Promise<void>
}

/** What happens to the bytes that go to the server: `chunk` begins at `at`. `undefined` cuts the connection. */
export type Meddle = (chunk: Buffer, at: number) => Buffer | undefined

/** Passes bytes on as they come; the answers too. */
export async function byteProxy(target: string, meddle: Meddle): Promise<Proxy> {
  const [host, port] = target.split(':')
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const upstream = connect(Number(port), host)
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    let at = 0
    client.on('data', chunk => {
      const passed = meddle(chunk as Buffer, at)
      at += chunk.length
      if (passed === undefined) {
        client.destroy()
        upstream.destroy()
      } else if (!upstream.write(passed)) {
        client.pause()
        upstream.once('drain', () => client.resume())
      }
    })
    client.on('end', () => upstream.end())
    upstream.pipe(client)
  })
  const address = await listening(server)
  return {
    address,
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise(resolve => void server.close(() => resolve()))
    },
  }
}

export interface NameNodeMeddling {
  /** Changes the query that the NameNode gets. */
  rewrite?: (query: URLSearchParams) => void
  /** Does what is asked, and cuts the connection instead of answering. */
  loseAnswer?: (query: URLSearchParams) => boolean
  /** Cuts the connection and does nothing: as if the request had got stuck somewhere. */
  swallow?: (query: URLSearchParams) => boolean
  /** Passes the request on when this is done. */
  delay?: (query: URLSearchParams) => Promise<void>
  /** Answers itself. */
  answer?: (query: URLSearchParams) => { status: number; body: string } | undefined
}

/** Passes requests to a NameNode on; what is asked may be changed, and answers lost. */
export async function nameNodeProxy(nameNodeUrl: string, meddling: NameNodeMeddling): Promise<Proxy> {
  const server = createHttpServer(async (incoming, outgoing) => {
    const url = new URL(incoming.url ?? '/', nameNodeUrl)
    const own = meddling.answer?.(url.searchParams)
    if (own !== undefined) {
      outgoing.writeHead(own.status, { 'content-type': 'application/json' }).end(own.body)
      return
    }
    if (meddling.swallow?.(url.searchParams) === true) {
      incoming.socket.destroy()
      return
    }
    await meddling.delay?.(url.searchParams)
    const isLost = meddling.loseAnswer?.(url.searchParams) === true
    const query = new URLSearchParams(url.searchParams)
    meddling.rewrite?.(query)
    // Not through URL: it would decode parts of the path.
    const path = `${(incoming.url ?? '').split('?')[0]}?${query.toString().replaceAll('+', '%20')}`
    const upstream = request(nameNodeUrl, { method: incoming.method, path, agent: false }, answer => {
      if (isLost) {
        answer.resume().on('end', () => incoming.socket.destroy())
        return
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(outgoing)
    })
    upstream.on('error', () => incoming.socket.destroy())
    incoming.pipe(upstream)
  })
  const address = await listening(server)
  return {
    address,
    close: () => {
      server.closeAllConnections()
      return new Promise(resolve => void server.close(() => resolve()))
    },
  }
}

function listening(server: ReturnType<typeof createServer> | ReturnType<typeof createHttpServer>): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${(server.address() as AddressInfo).port}`))
  })
}
