/**
 * What `call` comes to, or a rejection after `ms`. For calls of kafkajs (2.2.4), which may never settle: when a broker dies while
 * a connection to it is being made, the end of the socket rejects nobody, and time limits on requests are not looked after
 * until there is a connection again. A consumer was seen to wait so for ever for its heartbeat, a commit for its answer.
 */
export async function answerWithin<T>(ms: number, call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([call, late])
  } finally {
    clearTimeout(timer)
  }
}
