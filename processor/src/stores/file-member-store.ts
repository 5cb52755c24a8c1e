import type { Member } from '@headwater/core'
import type { Logger } from 'pino'
import { ProcessorError } from '../errors.ts'
import type { MemberStore } from '../ports.ts'
import { fileIdentity } from './file-identity.ts'
import { type Members, readMembers } from './read-members.ts'

export interface FileMemberStoreOptions {
  /** CSV or NDJSON; `readMembers` says which forms are read. */
  file: string
  /** How often `watch` looks at the file, ms. Default 500. */
  pollMs?: number
  log: Logger
}

/** A `MemberStore` whose file people replace while it is in use. */
export interface FileMemberStore extends MemberStore {
  /** Why the file as it is now is not in force; `undefined` when it is. */
  fault(): ProcessorError | undefined
  /** How many members are known. */
  size(): number
  /** Loads the file again when it changes, and then calls back, until `stop` aborts. */
  watch(changed: () => void, stop: AbortSignal): void
}

/**
 * Members in a file, all in memory (some 200 bytes each), read at the first question and again whenever the file changes.
 * The new state takes the place of the old one at once and as a whole. A file that is broken, or gone, leaves the last good
 * one in force; before there was a good one `get` and `columns` reject with what is wrong (retryable).
 * `columns` resolves with the same set as long as the file's state is the same.
 */
export function fileMemberStore(options: FileMemberStoreOptions): FileMemberStore {
  const { file, log } = options
  const pollMs = options.pollMs ?? 500
  let members: Members | undefined
  let fault: ProcessorError | undefined
  /** The identity that `members` or `fault` came from. */
  let known: string | undefined
  let loading: Promise<void> | undefined

  async function load(): Promise<void> {
    const before = await fileIdentity(file)
    try {
      if (before === undefined) {
        throw new ProcessorError('STORE_UNAVAILABLE', `The member file must be there. Found: no file ${file}.`, {
          retryable: true,
        })
      }
      const read = await readMembers(file)
      // Written while it was read: neither the old nor the new state. The next look reads it again.
      if ((await fileIdentity(file))?.key !== before.key) return
      members = read
      fault = undefined
      log.info({ file, members: read.byId.size, columns: [...read.columns] }, 'Members loaded')
    } catch (error) {
      if (!(error instanceof ProcessorError)) throw error
      fault = error
      log.warn(
        { file, err: error, kept: members?.byId.size },
        `The member file has a fault: ${members === undefined ? 'nothing is judged until it has none' : 'the last good one stays in force'}`,
      )
    }
    known = before?.key ?? 'none'
  }

  function loadOnce(): Promise<void> {
    loading ??= load().finally(() => {
      loading = undefined
    })
    return loading
  }

  async function current(): Promise<Members> {
    if (members === undefined) await loadOnce()
    if (members !== undefined) return members
    throw (
      fault ??
      new ProcessorError('STORE_UNAVAILABLE', `${file} is being written just now.`, {
        retryable: true,
      })
    )
  }

  return {
    async get(memberIds: readonly string[]): Promise<ReadonlyMap<string, Member>> {
      const { byId } = await current()
      const found = new Map<string, Member>()
      for (const id of memberIds) {
        const member = byId.get(id)
        if (member !== undefined) found.set(id, member)
      }
      return found
    },

    async columns(): Promise<ReadonlySet<string>> {
      return (await current()).columns
    },

    fault: () => fault,
    size: () => members?.byId.size ?? 0,

    watch(changed: () => void, stop: AbortSignal): void {
      let seen = known
      const poll = async (): Promise<void> => {
        const before = members
        try {
          const now = (await fileIdentity(file))?.key ?? 'none'
          // A large file takes a while to copy: it is read once it has held still for one round.
          if (now !== known && now === seen) await loadOnce()
          seen = now
        } catch (error) {
          log.warn({ file, err: error }, 'The member file cannot be looked at')
        }
        if (stop.aborted) return
        if (members !== before) changed()
        timer = setTimeout(poll, pollMs).unref()
      }
      let timer = setTimeout(poll, pollMs).unref()
      stop.addEventListener('abort', () => clearTimeout(timer), { once: true })
    },
  }
}
