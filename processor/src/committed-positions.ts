import { join } from 'node:path'
import type { Logger } from 'pino'
import type { PartitionId, Position } from './ports.ts'
import { readStateFile, writeStateFile } from './state-file.ts'

export interface CommittedPositionsOptions {
  /** The folder of all groups' files: `state/positions`. */
  dir: string
  /** The reader's name: small letters, digits and `-`; the file is `<group>.json`. */
  group: string
  log: Logger
  /** At most one write in this time, ms. Default 5 000: each costs two fsyncs, and every reader has a file. */
  everyMs?: number
}

/**
 * How far one group of readers is done, kept for retention and as a hint at the next start. Losing the last seconds of it
 * is harmless: the consumer has its own position.
 *
 * File: `{"format":1,"positions":{"<partition>":<position>}}`.
 */
export class CommittedPositions {
  readonly group: string
  readonly #path: string
  readonly #log: Logger
  readonly #everyMs: number
  #positions = new Map<PartitionId, Position>()
  #dirty = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: CommittedPositionsOptions) {
    if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(options.group)) {
      throw new RangeError(
        `A reader's group must be 1 to 64 small letters, digits and hyphens. Found: ${JSON.stringify(options.group)}.`,
      )
    }
    this.group = options.group
    this.#path = join(options.dir, `${options.group}.json`)
    this.#log = options.log
    this.#everyMs = options.everyMs ?? 5_000
  }

  /** Reads the file; to be called once, before the others. Rejects as `readStateFile` does. */
  async load(): Promise<void> {
    const stored = await readStateFile(this.#path, {
      remedy: 'It is only a hint: delete it and start again.',
      parse: fields => {
        if (typeof fields.positions !== 'object' || fields.positions === null) throw new Error('no "positions"')
        return Object.entries(fields.positions).map(([partition, position]): [PartitionId, Position] => {
          if (!Number.isSafeInteger(position)) throw new Error(`position ${JSON.stringify(position)}`)
          return [Number(partition), position as number]
        })
      },
    })
    this.#positions = new Map(stored ?? [])
  }

  get(partition: PartitionId): Position | undefined {
    return this.#positions.get(partition)
  }

  /** Notes a position in memory; it reaches the disk within `everyMs`. */
  note(partition: PartitionId, position: Position): void {
    if (this.#positions.get(partition) === position) return
    this.#positions.set(partition, position)
    this.#dirty = true
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.flush()
    }, this.#everyMs).unref()
  }

  /** Writes what is noted now. Never rejects: a lost commit is harmless, so a failure is only a warning. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (!this.#dirty) return
    this.#dirty = false
    try {
      await writeStateFile(this.#path, { positions: Object.fromEntries(this.#positions) })
    } catch (error) {
      this.#dirty = true
      this.#log.warn({ group: this.group, err: error }, 'A committed position could not be stored')
    }
  }
}
