/** A bell: `wait` sleeps until somebody calls `wake` or the time is over. A call that came before counts once. */
export class Waker {
  #rung = false
  #resolve: (() => void) | undefined

  wake(): void {
    this.#rung = true
    this.#resolve?.()
  }

  /** One waiter at a time; a second one takes the first one's place, which then ends by its time. */
  async wait(timeoutMs: number): Promise<void> {
    if (!this.#rung) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>(resolve => {
        this.#resolve = resolve
        timer = setTimeout(resolve, timeoutMs)
      })
      clearTimeout(timer)
      this.#resolve = undefined
    }
    this.#rung = false
  }
}
