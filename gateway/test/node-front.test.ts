import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { it } from 'vitest'
import { testFront } from './contracts/front.ts'
import { get, rawHttp } from './raw-http.ts'
import { startedGateway, until } from './started-gateway.ts'

testFront({ frontEnd: 'node', takesHttp10: true, takesPipelining: true, takesRawBytesInUrl: false })

// Not in the contract as uWebSockets.js has 10 s built in, which is long for a test.
it('a client that does not take its answer loses its connection', async () => {
  const first = await startedGateway({ frontEnd: 'node' })
  writeFileSync(join(first.folder, 'headwater.js'), 'x'.repeat(16_000_000))
  const started = await startedGateway({
    frontEnd: 'node',
    sdkDir: first.folder,
    limits: { maxConnections: 1, requestTimeoutMs: 200 },
  })
  const deaf = connect(started.port, '127.0.0.1').pause()
  deaf.on('error', () => {})
  deaf.write(get('/headwater.js'))
  await until(async () => (await rawHttp(started.port, get('/5')))[0]?.status === 204)
  deaf.destroy()
  await started.stop()
  await first.stop()
})
