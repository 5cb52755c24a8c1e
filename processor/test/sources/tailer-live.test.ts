import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { LineBatch } from '../../src/ports.ts'
import { readUntil } from '../contracts/recording-consumer.ts'
import { LogFolder, line } from './tailer-fixture.ts'

/*
 * The tailer while it runs: the log is written, rotated and copied at moments that fall anywhere into its reading. A worker
 * goes on writing to the renamed file for a while, as NGINX's do until they reopen.
 */
test('lines that are written, rotated and copied under a running tailer come once', async () => {
  const action = fc.constantFrom('write', 'write', 'write', 'write', 'rotate', 'copytruncate', 'worker', 'pause')
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 20, maxLength: 120 }), async actions => {
      const logs = new LogFolder()
      try {
        const written: string[] = []
        let rotated: string | undefined
        const write = (path?: string): void => {
          written.push(line(written.length))
          logs.append(`${written.at(-1)}\n`, path)
        }
        let isWritten = false
        const writeAll = async (): Promise<void> => {
          for (const action of actions) {
            if (action === 'write') write()
            else if (action === 'rotate') rotated = logs.rotate()
            else if (action === 'copytruncate') logs.copyTruncate()
            else if (action === 'worker') write(rotated)
            else await new Promise(resolve => setTimeout(resolve, 3))
            if (action === 'write') source.wake()
            await new Promise(resolve => setImmediate(resolve))
          }
          isWritten = true
        }
        write()
        const source = await logs.source({ rotateWaitMs: 20, pollMs: 5 })
        const writing = writeAll()
        let taken = 0
        const { batches } = await readUntil<LineBatch>(source, () => isWritten && taken >= written.length, {
          take: async batch => {
            taken += batch.lines.length
            return batch.to
          },
        })
        await writing
        const lines = batches.flatMap(batch => batch.lines)
        expect([...lines].sort()).toEqual([...written].sort())
      } finally {
        logs.remove()
      }
    }),
    { numRuns: 15 },
  )
})
