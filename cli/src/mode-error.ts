/** A command of one mode with the configuration of the other. */
export class ModeError extends Error {
  readonly code = 'MODE_CONFLICT'

  constructor(sentence: string) {
    super(`MODE_CONFLICT: ${sentence}`)
    this.name = 'ModeError'
  }
}
