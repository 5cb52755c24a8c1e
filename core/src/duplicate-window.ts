export interface DuplicateWindowOptions {
  windowMs: number
  maxIds: number
}

export class DuplicateWindow {
  constructor(_options: DuplicateWindowOptions) {}
  /** Whether the id occurred before within the window; notes it when not. */
  seen(_high: number, _low: number, _receivedAt: number): boolean {
    throw new Error('to come')
  }
}
