import { ProcessorError } from '../errors.ts'
import { RedirectRefused } from './data-node-address.ts'
import { HttpFault } from './http-exchange.ts'
import { UploadDiffers } from './verified-upload.ts'
import { isRefusal, NameNodesAway, WebHdfsError } from './webhdfs-error.ts'

/** Why HDFS did not do what was asked, for the one who has to mend it. */
export interface StoreFault {
  error: ProcessorError
  /** Whether it stays so until somebody does something. */
  needsPerson: boolean
}

interface Advice {
  /** What it means, and what to do. */
  text: string
  needsPerson: boolean
  /** Default true: what an operator mends in HDFS needs no restart here. */
  retryable?: boolean
}

const KINDS = [WebHdfsError, NameNodesAway, HttpFault, RedirectRefused, UploadDiffers] as const
const NO_ROOM = /could only be (written|replicated) to 0|Failed to find datanode/

/**
 * The fault of a failed `what` ("x cannot be published"). A ProcessorError passes as it is; what is no fault of the store or of
 * a local file is thrown on.
 */
export function storeFault(what: string, cause: unknown, user: string): StoreFault {
  if (cause instanceof ProcessorError) return { error: cause, needsPerson: !cause.retryable }
  if (!KINDS.some(kind => cause instanceof kind) && (cause as NodeJS.ErrnoException).code === undefined) throw cause
  const { text, needsPerson, retryable = true } = adviceFor(cause, user)
  const found =
    cause instanceof WebHdfsError ? `${cause.exception}: ${cause.message} (${cause.host})` : (cause as Error).message
  const error = new ProcessorError('STORE_UNAVAILABLE', `${what}. ${text} Found: ${found}.`, { retryable, cause })
  return { error, needsPerson }
}

function adviceFor(cause: unknown, user: string): Advice {
  if (cause instanceof NameNodesAway) return adviceForAway(cause)
  if (cause instanceof RedirectRefused)
    return {
      text: 'Name the DataNodes in the configuration: allowed ones, or where they are reached.',
      needsPerson: true,
    }
  if (cause instanceof HttpFault && cause.code === 'TOO_LONG')
    return {
      text: 'The answer is longer than any that is expected: are there too many files in one folder?',
      needsPerson: true,
    }
  if (cause instanceof HttpFault)
    return {
      text: 'A DataNode does not answer: is it running, and is its port reachable from here?',
      needsPerson: false,
    }
  if (cause instanceof WebHdfsError) return adviceForRefusal(cause, user)
  // A local file, say.
  return { text: 'It is tried again.', needsPerson: false }
}

function adviceForAway({ faults }: NameNodesAway): Advice {
  if (faults.every(fault => isRefusal(fault, 'StandbyException')))
    return { text: 'No NameNode of the list is active: see `hdfs haadmin -getAllServiceState`.', needsPerson: false }
  if (faults.some(fault => isRefusal(fault, 'RetriableException')))
    return { text: 'The NameNode is starting.', needsPerson: false }
  return { text: 'No NameNode answers: is it running, and are its address and port right?', needsPerson: false }
}

function adviceForRefusal(cause: WebHdfsError, user: string): Advice {
  switch (cause.exception) {
    case 'SafeModeException':
      return {
        text:
          'The NameNode is in safe mode and takes no change: it leaves it when enough DataNodes have reported, or by ' +
          '`hdfs dfsadmin -safemode leave`.',
        needsPerson: false,
      }
    case 'AccessControlException':
    case 'AuthorizationException':
      return {
        text: `The user ${user} may not do this: give it the folder (\`hdfs dfs -chown -R ${user} <root>\`).`,
        needsPerson: true,
      }
    case 'SecurityException':
    case 'AuthenticationException':
      return {
        text: 'HDFS demands Kerberos, which is not supported: it must allow simple authentication.',
        needsPerson: true,
      }
    case 'DSQuotaExceededException':
    case 'NSQuotaExceededException':
    case 'QuotaByStorageTypeExceededException':
      return {
        text:
          'The folder is at its quota: raise it (`hdfs dfsadmin -setSpaceQuota`, `-setQuota`) or remove something. A file ' +
          'under way is charged a whole block.',
        needsPerson: true,
      }
    case 'FSLimitException$PathComponentTooLongException':
    case 'PathComponentTooLongException':
    case 'InvalidPathException':
    case 'IllegalArgumentException':
      return { text: 'HDFS does not take this path or call.', needsPerson: true, retryable: false }
    case 'ParentNotDirectoryException':
      return { text: 'A file stands where a folder must be: move it away.', needsPerson: true }
    case 'NoWebHdfs':
      return cause.status === 401
        ? {
            text: 'HDFS demands Kerberos, which is not supported: it must allow simple authentication.',
            needsPerson: true,
          }
        : { text: 'The answer is none of WebHDFS: is this the address of a NameNode?', needsPerson: true }
  }
  if (NO_ROOM.test(cause.message))
    return {
      text: 'No DataNode takes the file: none is running, or all are full (`hdfs dfsadmin -report`).',
      needsPerson: true,
    }
  return { text: 'It is tried again.', needsPerson: false }
}
