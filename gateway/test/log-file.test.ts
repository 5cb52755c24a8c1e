import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serviceOrSkip } from '@headwater/testkit'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ACCEPTED, type Answer, LOG_UNWRITABLE } from '../src/answer.ts'
import { LineWriter } from '../src/line-writer.ts'
import { LogFile } from '../src/log-file.ts'
import type { LogOptions } from '../src/options.ts'
import { get, rawHttp } from './raw-http.ts'
import { logLines, silent, startedGateway, until } from './started-gateway.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headwater-log-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A log file in the test's folder, or in `at`, with a clock that the test sets. */
function opened(options: Partial<LogOptions> = {}, clock = { now: Date.now() }): LogFile {
  const all: LogOptions = {
    file: join(folder, 'access.log'),
    format: 'headwater',
    maxBytes: 0,
    maxAgeMs: 0,
    durability: 'write',
    ...options,
  }
  return new LogFile(all, silent, () => clock.now)
}

function append(file: LogFile, text: string, ends: readonly number[] = [text.length]): number {
  return file.append(Buffer.from(text), text.length, written => ends.filter(end => end <= written).at(-1) ?? 0)
}

const names = (): string[] => readdirSync(folder).sort()
const content = (name: string): string => readFileSync(join(folder, name), 'utf8')

describe('a log file', () => {
  it('is made with its folder, and gone on with when it is there', () => {
    const file = join(folder, 'deep', 'er', 'access.log')
    const first = opened({ file })
    expect(append(first, 'a\n')).toBe(2)
    first.close()
    const second = opened({ file })
    append(second, 'b\n')
    second.close()
    expect(readFileSync(file, 'utf8')).toBe('a\nb\n')
  })

  it('that ends in the middle of a line gets a newline first', () => {
    writeFileSync(join(folder, 'access.log'), 'whole\nhal')
    const file = opened()
    append(file, 'next\n')
    file.close()
    expect(content('access.log')).toBe('whole\nhal\nnext\n')
  })

  it('that cannot be opened is refused with its name', () => {
    mkdirSync(join(folder, 'access.log'))
    expect(() => opened()).toThrow(`LOG_UNWRITABLE: log.file must be a file that can be written. Found: ${folder}`)
  })

  it('rotates by size, between turns only', () => {
    const file = opened({ maxBytes: 10 })
    append(file, '12345\n')
    file.maintain()
    append(file, '67890\n')
    append(file, 'more\n')
    expect(names()).toEqual(['access.log'])
    file.maintain()
    append(file, 'next\n')
    file.close()
    expect(logLines(folder)).toEqual(['12345', '67890', 'more', 'next'])
    expect(names()).toHaveLength(2)
    expect(names()[1]).toMatch(/^access\.log\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/)
  })

  it('rotates by age, but not when it is empty', () => {
    const clock = { now: Date.now() }
    const file = opened({ maxAgeMs: 1000 }, clock)
    clock.now += 2000
    file.maintain()
    expect(names()).toEqual(['access.log'])
    append(file, 'a\n')
    file.maintain()
    expect(names()).toHaveLength(2)
    file.close()
  })

  it('gives rotated files names that sort in the order of their content, whatever the clock says', () => {
    const clock = { now: Date.parse('2026-11-22T10:00:00Z') }
    let expected: string[] = []
    for (const jump of [0, 0, -3_600_000, 5, -1, 0, 7_200_000]) {
      clock.now += jump
      // A new process each time, so that nothing is remembered.
      const file = opened({ maxBytes: 1 }, clock)
      append(file, `${expected.length}\n`)
      file.maintain()
      file.close()
      expected = [...expected, String(expected.length)]
    }
    expect(logLines(folder)).toEqual(expected)
  })

  it('never replaces a file when it rotates', () => {
    const clock = { now: Date.parse('2026-11-22T10:00:00Z') }
    const file = opened({ maxBytes: 1 }, clock)
    append(file, 'a\n')
    file.maintain()
    // Somebody else takes the next name meanwhile.
    writeFileSync(join(folder, 'access.log.2026-11-22T10-00-00.001Z'), 'foreign\n')
    append(file, 'b\n')
    file.maintain()
    append(file, 'c\n')
    file.close()
    expect(content('access.log.2026-11-22T10-00-00.001Z')).toBe('foreign\n')
    expect(logLines(folder)).toEqual(['a', 'foreign', 'b', 'c'])
  })

  it('is opened anew after a rename from outside', () => {
    const file = opened()
    append(file, 'a\n')
    renameSync(join(folder, 'access.log'), join(folder, 'access.log.1'))
    append(file, 'b\n')
    file.reopen()
    append(file, 'c\n')
    file.close()
    expect(content('access.log.1')).toBe('a\nb\n')
    expect(content('access.log')).toBe('c\n')
  })

  it('goes on in the old file when the new one cannot be opened', () => {
    const file = opened()
    renameSync(join(folder, 'access.log'), join(folder, 'access.log.1'))
    mkdirSync(join(folder, 'access.log'))
    file.reopen()
    expect(append(file, 'a\n')).toBe(2)
    expect(content('access.log.1')).toBe('a\n')
    file.close()
  })
})

describe('a line writer', () => {
  it('acknowledges what is written, in the order of the requests, with one write a turn', async () => {
    const file = opened()
    const answers: [string, number][] = []
    const writer = new LineWriter<string>(
      file,
      (waiting, answer) => {
        // The promise itself: the line stands in the file when its answer goes out.
        expect(content('access.log')).toContain(`${waiting}\n`)
        answers.push([waiting, answer.status])
      },
      'write',
    )
    let turns = 0
    writer.onWritten(() => turns++)
    for (const name of ['a', 'b', 'c']) {
      writer.line(`${name}\n`)
      writer.commit(name, ACCEPTED)
    }
    expect(answers).toEqual([])
    await writer.idle()
    expect(answers).toEqual([
      ['a', 204],
      ['b', 204],
      ['c', 204],
    ])
    expect([turns, file.counts.writes]).toEqual([1, 1])
    file.close()
  })

  it('takes more in a turn than its buffer holds, and lines longer than it', async () => {
    const file = opened()
    let answered = 0
    const writer = new LineWriter<number>(file, () => answered++, 'write')
    const lines = Array.from({ length: 30 }, (_, i) => `${i}:${'x'.repeat(i === 7 ? 3_000_000 : 100_000)}`)
    for (const line of lines) {
      writer.line(`${line}\n`)
      writer.commit(answered, ACCEPTED)
    }
    await writer.idle()
    file.close()
    expect(answered).toBe(30)
    expect(logLines(folder)).toEqual(lines)
  })
})

/** A file system of 1 MiB. */
function smallDisk(): string | undefined {
  const disk = mkdtempSync(join(tmpdir(), 'headwater-disk-'))
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
  if (mounted.status === 0) return disk
  rmSync(disk, { recursive: true })
  return undefined
}

const disk = smallDisk()
// Also where nobody wants it. Lazily, as a test that failed may have left a file open.
afterAll(() => {
  if (disk === undefined) return
  execFileSync('umount', ['-l', disk])
  rmSync(disk, { recursive: true })
})

describe.skipIf(!serviceOrSkip('a small tmpfs', disk, 'mount is not allowed here'))('on a full disk', () => {
  const at = disk ?? ''
  const filler = join(at, 'filler')
  /** Leaves `bytes` free, in whole pages. */
  const fill = (bytes: number): void => {
    const { size, free } = JSON.parse(
      execFileSync('stat', ['-f', '-c', '{"size":%S,"free":%a}', at], { encoding: 'utf8' }),
    )
    writeFileSync(filler, Buffer.alloc(Math.max(0, size * free - bytes)))
  }
  beforeEach(() => {
    for (const name of readdirSync(at)) rmSync(join(at, name), { recursive: true })
  })

  it('half a line is cut off again, and what was whole stays', async () => {
    const file = opened({ file: join(at, 'access.log') })
    const answers: [number, Answer][] = []
    const writer = new LineWriter<number>(file, (waiting, answer) => answers.push([waiting, answer]), 'write')
    fill(4096)
    for (let i = 0; i < 10; i++) {
      // Two lines a request: 1000 bytes. Four requests fit the page.
      writer.line(`${i}${'x'.repeat(498)}\n`)
      writer.line(`${i}${'y'.repeat(498)}\n`)
      writer.commit(i, ACCEPTED)
    }
    await writer.idle()
    expect(answers.map(([i, answer]) => [i, answer.status])).toEqual(
      Array.from({ length: 10 }, (_, i) => [i, i < 4 ? 204 : 503]),
    )
    expect(logLines(at)).toHaveLength(8)
    expect(writer.writable).toBe(false)
    file.close()
  })

  it('a request that was begun in an earlier write of the turn is cut off whole', async () => {
    const file = opened({ file: join(at, 'access.log') })
    const answers: number[] = []
    const writer = new LineWriter<number>(file, (_, answer) => answers.push(answer.status), 'write')
    writer.line(`first${'x'.repeat(94)}\n`)
    writer.commit(1, ACCEPTED)
    // More than the buffer holds, and more than the disk does.
    for (let i = 0; i < 30; i++) writer.line(`${'y'.repeat(50_000)}\n`)
    writer.commit(2, ACCEPTED)
    await writer.idle()
    expect(answers).toEqual([204, 503])
    expect(logLines(at)).toHaveLength(1)
    file.close()
  })

  it('beacons get 503 and are welcome again when there is room, without a restart', async () => {
    const started = await startedGateway({ log: { file: join(at, 'access.log') } })
    const status = async (): Promise<number | undefined> => (await rawHttp(started.port, get('/5?a=1')))[0]?.status
    expect(await status()).toBe(204)
    fill(0)
    // The page that is begun may still take some lines.
    await until(async () => (await status()) === 503)
    const acknowledged = logLines(at).length
    expect(started.gateway.notReady()).toContain('The log cannot be written')
    expect(await status()).toBe(503)
    const [robots] = await rawHttp(started.port, get('/robots.txt'))
    expect(robots?.status).toBe(200)
    const ready = await fetch(`http://127.0.0.1:${started.gateway.health?.port}/readyz`)
    expect(ready.status).toBe(503)
    rmSync(filler)
    await until(async () => (await status()) === 204)
    expect(logLines(at).length).toBe(acknowledged + 1)
    expect(started.gateway.notReady()).toBeUndefined()
    await started.stop()
  })

  it('no acknowledged line is lost when it fills up and empties again and again', async () => {
    const started = await startedGateway({ log: { file: join(at, 'access.log') } })
    const acknowledged = new Set<string>()
    const deadline = Date.now() + 1500
    let sent = 0
    let refused = 0
    // On a busy machine the disk may not have been full at the right moment yet.
    const goesOn = (): boolean => Date.now() < deadline || (refused === 0 && Date.now() < deadline + 10_000)
    const client = async (): Promise<void> => {
      while (goesOn()) {
        const id = `n${sent++}n`
        const [answer] = await rawHttp(started.port, get(`/5?hw_id=${id}&x=${'x'.repeat(200)}`))
        if (answer?.status === 204) acknowledged.add(id)
        else refused++
      }
    }
    const clients = Promise.all(Array.from({ length: 8 }, client))
    while (goesOn()) {
      fill(30_000)
      await new Promise(resolve => setTimeout(resolve, 150))
      rmSync(filler)
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    await clients
    await started.gateway.close()
    const text = logLines(at).join('\n')
    expect(refused).toBeGreaterThan(0)
    expect([...acknowledged].filter(id => !text.includes(`hw_id=${id}&`))).toEqual([])
    await started.stop()
  })
})

describe('under load', () => {
  it('rotation by size and SIGUSR1 loses no line', async () => {
    const started = await startedGateway({ log: { maxBytes: 20_000 } })
    const acknowledged: string[] = []
    let sent = 0
    const client = async (): Promise<void> => {
      for (let i = 0; i < 150; i++) {
        const id = `n${sent++}n`
        const [answer] = await rawHttp(started.port, get(`/5?hw_id=${id}`))
        if (answer?.status === 204) acknowledged.push(id)
      }
    }
    const clients = Promise.all(Array.from({ length: 6 }, client))
    for (let i = 0; i < 5; i++) {
      await until(() => acknowledged.length > 150 * i)
      renameSync(started.log, join(started.folder, `access.log.0-${i}`))
      process.kill(process.pid, 'SIGUSR1')
      await until(() => statSync(started.log, { throwIfNoEntry: false }) !== undefined)
    }
    await clients
    await started.gateway.close()
    const seen = started.lines().map(line => /hw_id=(n\d+n)/.exec(line)?.[1])
    expect(acknowledged).toHaveLength(900)
    expect([...seen].sort()).toEqual([...acknowledged].sort())
    expect(readdirSync(started.folder).length).toBeGreaterThan(7)
    await started.stop()
  })

  it('an answer that says no is the only one given while the log cannot be written', async () => {
    const started = await startedGateway({ log: { file: '/dev/full' } })
    const statuses = new Set<number | undefined>()
    for (let i = 0; i < 5; i++) statuses.add((await rawHttp(started.port, get('/5')))[0]?.status)
    expect([...statuses]).toEqual([LOG_UNWRITABLE.status])
    await started.stop()
  })
})
