import { type AddressInfo, createServer } from 'node:net'

/** A TCP port on 127.0.0.1 that was free a moment ago, for services that cannot take port 0. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

/** Starts a service on `count` free ports; on others, up to three times, when somebody else was quicker with one of them. */
export async function onFreePorts<T>(count: number, start: (...ports: number[]) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    // Together, or the same port might be given out twice.
    const ports = await Promise.all(Array.from({ length: count }, freePort))
    try {
      return await start(...ports)
    } catch (error) {
      if (attempt === 3 || !/already in use|BindException/.test(String(error))) throw error
    }
  }
}
