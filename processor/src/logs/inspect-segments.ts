import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogName, Position } from '../ports.ts'
import { endsOf, type LogEnds, SECTIONS } from './frame.ts'
import { findWholeFrames, isSegmentName, SEGMENT_HEAD, SegmentFile, segmentDamaged } from './segment-file.ts'

/** What the segment files hold, without being opened for work. */
export interface SegmentsInspection {
  files: number
  bytes: number
  /** The input position behind the last batch; `undefined` when there is none. */
  to: Position | undefined
  /** The first offset of a log that can be read, and the one behind the last. */
  oldest(log: LogName): Position
  end(log: LogName): Position
  /** Bytes behind the last whole frame: what a kill left, and the next start cuts off. */
  tornBytes: number
}

const NOTHING: LogEnds = [0, 0, 0, 0]

/**
 * Looks through `state/segments` and changes nothing, also while a process writes there (its last frame may then be torn).
 * Rejects with STATE_DAMAGED and FORMAT_UNKNOWN as `SegmentLog.open` does, and with the file system's error when the folder
 * cannot be read; a folder that is missing is empty.
 */
export async function inspectSegments(dir: string): Promise<SegmentsInspection> {
  const names = (await readdir(dir).catch(missingAsEmpty)).filter(isSegmentName).sort()
  let bytes = 0
  let tornBytes = 0
  let to: Position | undefined
  let oldest: LogEnds | undefined
  let ends = NOTHING
  for (const [i, name] of names.entries()) {
    const path = join(dir, name)
    const opened = await openSegment(path)
    if (opened === undefined) continue
    const { file, size } = opened
    bytes += size
    try {
      const isLast = i === names.length - 1
      const whole = (await file.hasHead()) ? await findWholeFrames(file, size) : undefined
      if (whole?.first === undefined || whole.last === undefined) {
        if (!isLast) throw segmentDamaged(path, SEGMENT_HEAD.length, 'no whole frame')
        tornBytes += size
        continue
      }
      if (whole.bytes < size) {
        if (!isLast) throw segmentDamaged(path, whole.bytes, 'a torn frame in a segment that is closed')
        tornBytes += size - whole.bytes
      }
      const [ids, events, outcomes, deadLetters] = whole.first.sections
      oldest ??= [ids.base, events.base, outcomes.base, deadLetters.base]
      ends = endsOf(whole.last)
      to = whole.last.to
    } finally {
      await file.close()
    }
  }
  const of = (all: LogEnds) => (log: LogName) => all[SECTIONS.indexOf(log)] as Position
  return { files: names.length, bytes, to, oldest: of(oldest ?? NOTHING), end: of(ends), tornBytes }
}

/** `undefined` when retention has deleted it since the folder was read. */
async function openSegment(path: string): Promise<{ file: SegmentFile; size: number } | undefined> {
  try {
    const { size } = await stat(path)
    return { file: await SegmentFile.open(path), size }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function missingAsEmpty(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return []
  throw error
}
