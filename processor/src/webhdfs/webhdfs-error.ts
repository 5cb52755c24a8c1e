import type { HttpAnswer, HttpFault } from './http-exchange.ts'

/*
 * Every refusal:  {"RemoteException":{"exception":"X","javaClassName":"…X","message":"…\n\tat …"}}
 *
 * The status says little: 403 stands for FileAlreadyExists, SafeMode, Standby, quota and an EOF beside missing permission.
 * A DataNode puts its whole stack trace into the message.
 */

/** What a NameNode or DataNode refused, and why. */
export class WebHdfsError extends Error {
  /** Java's class name without package: `FileNotFoundException`. `NoWebHdfs` when the answer is none of WebHDFS. */
  readonly exception: string
  readonly status: number
  /** Who said so: `host:port`. A DataNode passes on what the NameNode told it. */
  readonly host: string

  constructor(exception: string, message: string, status: number, host: string) {
    super(message)
    this.name = 'WebHdfsError'
    this.exception = exception
    this.status = status
    this.host = host
  }
}

/** No NameNode of the list gave an answer. `faults`: what became of each try. */
export class NameNodesAway extends Error {
  readonly faults: readonly (HttpFault | WebHdfsError)[]
  /** Whether one of them may have got the request all the same, and may yet do it. */
  readonly sent: boolean

  constructor(faults: readonly (HttpFault | WebHdfsError)[]) {
    super([...new Set(faults.map(fault => describe(fault)))].join('; '))
    this.name = 'NameNodesAway'
    this.faults = faults
    this.sent = faults.some(fault => 'sent' in fault && fault.sent)
  }
}

function describe(fault: HttpFault | WebHdfsError): string {
  return fault instanceof WebHdfsError ? `${fault.host}: ${fault.exception}: ${fault.message}` : fault.message
}

const MAX_MESSAGE_CHARACTERS = 500

/** The refusal in an answer; `undefined` when the answer is none. */
export function refusalIn(answer: HttpAnswer, host: string): WebHdfsError | undefined {
  if (answer.status < 400) return undefined
  const text = answer.body.toString('utf8')
  try {
    const { exception, message } = (JSON.parse(text) as { RemoteException: Record<string, unknown> }).RemoteException
    if (typeof exception === 'string') {
      return new WebHdfsError(exception, firstLine(String(message ?? '')), answer.status, host)
    }
  } catch {
    // HTML, say.
  }
  return new WebHdfsError('NoWebHdfs', `status ${answer.status}, ${firstLine(text) || 'empty'}`, answer.status, host)
}

function firstLine(text: string): string {
  const end = text.indexOf('\n')
  return (end < 0 ? text : text.slice(0, end)).trim().slice(0, MAX_MESSAGE_CHARACTERS)
}

/** Whether `error` is a refusal, of one of these kinds when some are named. */
export function isRefusal(error: unknown, ...exceptions: readonly string[]): error is WebHdfsError {
  return error instanceof WebHdfsError && (exceptions.length === 0 || exceptions.includes(error.exception))
}
