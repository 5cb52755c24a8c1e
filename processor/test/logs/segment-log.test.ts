import { spawn } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodeEvent, encodeOutcome } from '@headwater/core'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { inspectSegments } from '../../src/logs/inspect-segments.ts'
import { SegmentLog, type SegmentLogOptions } from '../../src/logs/segment-log.ts'
import { type SegmentLogReader, segmentLogReader } from '../../src/logs/segment-log-reader.ts'
import { segmentLogWriter } from '../../src/logs/segment-log-writer.ts'
import { createProcessorMetrics } from '../../src/metrics.ts'
import type { EntryBatch, LogEntry, LogName } from '../../src/ports.ts'
import { judgedBatch } from '../contracts/judged-batch.ts'
import { readAll, readUntil } from '../contracts/recording-consumer.ts'

const logger = pino({ level: 'silent' })
const SHAPE = { outcomes: [1, 2], deadLetters: 1, text: '고면할당하기' }

describe('segment log', () => {
  let folder: string
  let dir: string
  let open_: SegmentLog[] = []
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headwater-segments-'))
    dir = join(folder, 'segments')
  })
  afterEach(async () => {
    for (const segments of open_) await segments.close()
    open_ = []
    await rm(folder, { recursive: true, force: true })
  })

  const open = async (options: Partial<SegmentLogOptions> = {}): Promise<SegmentLog> => {
    const segments = await SegmentLog.open({ dir, durability: 'write', source: 'test', log: logger, ...options })
    open_.push(segments)
    return segments
  }
  const reader = (segments: SegmentLog, log: LogName, group: string = log): Promise<SegmentLogReader> => {
    const metrics = createProcessorMetrics(new Registry()).logs
    return segmentLogReader({ segments, log, group, positionsDir: join(folder, 'positions'), logger, metrics })
  }
  const entries = async (segments: SegmentLog, log: LogName, from?: number): Promise<LogEntry[]> => {
    const overrides = from === undefined ? {} : { assigned: async () => from }
    const { batches } = await readAll<EntryBatch>(await reader(segments, log), overrides)
    return batches.flatMap(batch => batch.entries)
  }
  const files = (): string[] => readdirSync(dir).sort()
  const only = (): string => join(dir, files().at(-1)!)

  test('a last frame that was cut at any byte is cut off, and the batch can be appended again', async () => {
    const first = await open()
    await first.append(judgedBatch(SHAPE, 0, 1_000))
    const whole = statSync(only()).size
    await first.append(judgedBatch(SHAPE, 100, 1_001))
    await first.close()
    const bytes = readFileSync(only())
    const path = only()
    for (let size = 0; size < bytes.length; size++) {
      // Every byte of the second frame's header and both ends of the file, and a sample of the rest.
      const isEdge = size < 34 || size > bytes.length - 3 || (size >= whole - 1 && size <= whole + 137)
      if (!isEdge && size % 29 !== 0) continue
      writeFileSync(path, bytes.subarray(0, size))
      const segments = await SegmentLog.open({ dir, durability: 'write', source: 'test', log: logger })
      const kept = size >= whole ? 1 : 0
      expect(segments.to).toBe(kept === 1 ? 100 : undefined)
      expect(files()).toHaveLength(kept)
      await segments.append(judgedBatch(SHAPE, kept * 100, 1_001))
      expect(segments.end('scenario-log') % 2 ** 24).toBe((kept + 1) * 3)
      await segments.close()
      rmSync(only())
    }
  })

  test('zeros or garbage behind the last frame, as a power cut leaves them, are cut off', async () => {
    for (const rest of [Buffer.alloc(5_000), Buffer.from('HWF2'.repeat(300))]) {
      const segments = await open()
      await segments.append(judgedBatch(SHAPE, segments.to ?? 0, Date.now()))
      await segments.close()
      writeFileSync(only(), Buffer.concat([readFileSync(only()), rest]))
      const again = await open()
      expect(again.to).toBe(segments.to)
      await again.close()
    }
  })

  test('a damaged frame before the last is refused with its place, and nothing is cut', async () => {
    const segments = await open()
    const ends: number[] = []
    for (let i = 0; i < 3; i++) {
      await segments.append(judgedBatch(SHAPE, i * 100, 1_000))
      ends.push(segments.bytes)
    }
    await segments.close()
    const bytes = readFileSync(only())
    const [begin, end] = ends as [number, number]
    for (const at of [begin, begin + 20, begin + 200, end - 1]) {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= 0x40
      writeFileSync(only(), damaged)
      await expect(open()).rejects.toMatchObject({
        code: 'STATE_DAMAGED',
        message: expect.stringContaining(`damaged at byte ${begin}`),
      })
      expect(statSync(only()).size).toBe(bytes.length)
    }
  })

  test('damage in an earlier segment is found by the reader that gets there, and never skipped', async () => {
    const segments = await open({ rollBytes: 1 })
    for (let i = 0; i < 3; i++) await segments.append(judgedBatch(SHAPE, i * 100, 1_000))
    await segments.close()
    const path = join(dir, files()[1]!)
    const bytes = readFileSync(path)
    bytes[bytes.length - 1]! ^= 1
    writeFileSync(path, bytes)
    const again = await open()
    const { calls } = await readAll<EntryBatch>(await reader(again, 'event-log'))
    expect(calls).toContain('take')
    await expect(entries(again, 'dead-letter')).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
    rmSync(path)
    const missing = await open()
    await expect(entries(missing, 'event-log')).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
  })

  test('a segment of another format is refused', async () => {
    const segments = await open()
    await segments.append(judgedBatch(SHAPE, 0, 1_000))
    writeFileSync(join(dir, '0000000000000100.segment'), 'headwater segment {"format":3} \nwhatever')
    await expect(open()).rejects.toMatchObject({ code: 'FORMAT_UNKNOWN' })
  })

  test('segments of format 1 are read to their end, and what is appended goes into one of format 2', async () => {
    // Written by version 0.1.0 from these two batches.
    const at = Date.UTC(2026, 10, 22, 12)
    const batches = [
      judgedBatch({ outcomes: [2, 0, 1], deadLetters: 1, text: '고면할당하기' }, 0, at),
      judgedBatch({ outcomes: [1], deadLetters: 1, text: 'a\nb "\u{1f600}' }, 100, at + 1),
    ]
    mkdirSync(dir)
    copyFileSync(new URL('format-1.segment', import.meta.url), join(dir, '0000000000000000.segment'))
    const before = await inspectSegments(dir)
    expect([before.to, before.end('event-log'), before.tornBytes]).toEqual([200, 4, 0])
    const segments = await open()
    expect(segments.to).toBe(200)
    const third = judgedBatch(SHAPE, 200, Date.now())
    await segments.append(third)
    expect(files()).toEqual(['0000000000000000.segment', '0000000000000200.segment'])
    await segments.close()
    const again = await open()
    const all = [...batches, third]
    const values = async (log: LogName) => (await entries(again, log)).map(({ value }) => value.toString())
    expect(await values('event-log')).toEqual(
      all.flatMap(({ events }) => events.map(({ event }) => encodeEvent(event))),
    )
    expect(await values('scenario-log')).toEqual(
      all.flatMap(({ events }) => events.flatMap(({ outcomes }) => outcomes.map(encodeOutcome))),
    )
    const letters = (await values('dead-letter')).map(json => JSON.parse(json))
    expect(letters.map(({ position, raw }) => [position, raw])).toEqual(
      all.flatMap(({ deadLetters }) => deadLetters.map(({ position, raw }) => [position, raw])),
    )
    const ids: number[] = []
    for await (const { low } of segmentLogWriter({ segments: again }).ids(0, 0)) ids.push(...low)
    expect(ids).toEqual(all.flatMap(({ events }) => events.map(({ idLow }) => idLow)))
  })

  test('segments roll by size and by time, and offsets count on over them', async () => {
    const segments = await open({ rollBytes: 4_000, rollEveryMs: 1_000 })
    for (let i = 0; i < 12; i++) await segments.append(judgedBatch(SHAPE, i * 100, i < 6 ? 5_000 : 5_000 + i * 1_000))
    expect(files().length).toBeGreaterThan(6)
    const offsets = (await entries(segments, 'scenario-log')).map(({ offset }) => offset)
    expect(offsets).toEqual(Array.from({ length: 36 }, (_, i) => i))
  })

  test('after a reboot offsets go on behind a gap, and readers cross it', async () => {
    const before = await open()
    await before.append(judgedBatch(SHAPE, 0, 1_000))
    await before.close()
    const after = await open()
    await after.append(judgedBatch(SHAPE, 100, Date.now()))
    const offsets = (await entries(after, 'event-log')).map(({ offset }) => offset)
    expect(offsets).toEqual([0, 1, 2 + 2 ** 24, 3 + 2 ** 24])
    // A sink that had read two records that the power cut took away.
    expect((await entries(after, 'event-log', 4)).map(({ offset }) => offset)).toEqual(offsets.slice(2))
    await after.close()
    const restarted = await open()
    expect(restarted.end('event-log')).toBe(offsets[3]! + 1)
  })

  test('a reader that knows more than the log holds misses nothing of what comes', async () => {
    const segments = await open()
    const { batches } = await readUntil<EntryBatch>(
      await reader(segments, 'event-log'),
      ({ batches }) => batches.length > 0,
      {
        assigned: async () => 1_000,
        tick: async () => {
          if (segments.to === undefined) await segments.append(judgedBatch(SHAPE, 0, Date.now()))
          return undefined
        },
      },
    )
    expect(batches[0]!.entries.map(({ offset }) => offset)).toEqual([1_000, 1_001])
  })

  test('the ids of old segments are left out when the later ones hold enough', async () => {
    const segments = await open({ rollBytes: 1 })
    for (let i = 0; i < 10; i++) await segments.append(judgedBatch(SHAPE, i * 100, 1_000))
    const read: number[] = []
    for await (const ids of segmentLogWriter({ segments, maxIds: 4 }).ids(0, 0)) read.push(ids.to)
    expect(read).toEqual([900, 1_000])
  })

  test('retention deletes what all readers are past and what is old, and never the last segment', async () => {
    const segments = await open({ rollBytes: 1 })
    const stats = await reader(segments, 'scenario-log', 'stats')
    const archive = await reader(segments, 'event-log', 'archive')
    const dead = await reader(segments, 'dead-letter', 'dead')
    for (let i = 0; i < 5; i++) {
      await segments.append(judgedBatch({ ...SHAPE, deadLetters: 0 }, i * 100, 1_000 + i))
    }
    expect(await segments.prune(9_999)).toEqual([])
    await stats.commit(0, 3 * 3)
    expect(await segments.prune(9_999)).toEqual([])
    await archive.commit(0, 2 * 2)
    // The dead-letter reader has nothing to commit, and needs nothing.
    expect(await segments.prune(1_001)).toEqual([])
    expect(await segments.prune(9_999)).toHaveLength(2)
    const { batches } = await readAll<EntryBatch>(archive)
    expect(batches.flatMap(({ entries }) => entries.map(({ offset }) => offset))).toEqual([4, 5, 6, 7, 8, 9])
    await archive.commit(0, 10)
    await stats.commit(0, 15)
    await segments.prune(9_999)
    expect(files()).toHaveLength(1)
    expect(segments.to).toBe(500)
    expect(dead.lag()).toBe(0)
  })

  test('what a reader has passed without records of its log is not kept for it', async () => {
    const segments = await open({ rollBytes: 1, recentBytes: 0 })
    const dead = await reader(segments, 'dead-letter')
    await segments.append(judgedBatch(SHAPE, 0, 1_000))
    await segments.close()
    // A gap in offsets: the last committed one is far below the next segment's base.
    const again = await open({ rollBytes: 1 })
    const follower = await reader(again, 'dead-letter', 'follower')
    await again.append(judgedBatch({ ...SHAPE, deadLetters: 0 }, 100, Date.now()))
    await readAll<EntryBatch>(follower, {
      take: async batch => {
        await follower.commit(0, batch.to)
        return batch.to
      },
    })
    expect(await again.prune(Date.now() + 9_999)).toHaveLength(1)
    expect(dead.log).toBe('dead-letter')
  })

  describe('in a process of its own', () => {
    const child = fileURLToPath(new URL('append-frames.mjs', import.meta.url))
    /** Appends batches until it is killed or a write fails; prints the position behind each. */
    const appending = (shell: string): { pid: number; lines: string[]; ended: Promise<void>; kill(): void } => {
      const process_ = spawn('bash', ['-c', `${shell} exec "$0" "$@"`, process.execPath, child, dir], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const lines: string[] = []
      let rest = ''
      process_.stdout.on('data', (data: Buffer) => {
        const parts = (rest + data).split('\n')
        rest = parts.pop()!
        lines.push(...parts)
      })
      const ended = new Promise<void>(resolve => process_.on('close', () => resolve()))
      return { pid: process_.pid!, lines, ended, kill: () => process_.kill('SIGKILL') }
    }

    test('killed at any moment, all that was acknowledged is there, in whole frames', async () => {
      for (let round = 0; round < 2; round++) {
        const { lines, ended, kill } = appending('')
        while (lines.length < 20 + round * 37) await new Promise(resolve => setTimeout(resolve, 1))
        kill()
        await ended
        const segments = await open()
        expect(segments.to).toBeGreaterThanOrEqual(Number(lines.at(-1)))
        const events = await entries(segments, 'event-log', 0)
        expect(events).toHaveLength((segments.to! / 100) * 2)
        await segments.close()
      }
    })

    test('a full disk rejects with STORE_UNAVAILABLE, leaves whole frames, and appending goes on when there is room', async () => {
      // A limit on file size acts as a full disk does: a short write, then an error.
      const { lines, ended } = appending("trap '' XFSZ; ulimit -f 40;")
      await ended
      expect(lines.at(-1)).toBe('STORE_UNAVAILABLE retryable')
      const acknowledged = Number(lines.at(-2))
      const size = statSync(only()).size
      const segments = await open()
      expect(segments.to).toBe(acknowledged)
      expect(statSync(only()).size).toBe(size)
      await segments.append(judgedBatch(SHAPE, acknowledged, Date.now()))
      expect(await entries(segments, 'event-log', 0)).toHaveLength((acknowledged / 100 + 1) * 2)
      truncateSync(only(), size)
    })
  })
})
