/** A stretch of the text: [from, to) in UTF-16 code units. */
export interface Span {
  from: number
  to: number
}

/** Where the scenarios of a file stand. */
export interface ScenarioFileOutline {
  /** The list, brackets included; of a file that is one scenario, that scenario. */
  list: Span
  /** Its elements, in order. */
  entries: Span[]
}

/** Why a text is no scenario file, and where. */
export interface OutlineFault {
  at: number
  message: string
}

/** JSON nests no deeper than this; a scenario needs 8. */
const MAX_DEPTH = 64

class Fault extends Error {
  readonly at: number
  constructor(at: number, message: string) {
    super(message)
    this.at = at
  }
}

/**
 * Finds the scenarios in the text of a scenario file: a JSON list of them, an object whose "scenarios" is that list,
 * or one scenario by itself.
 * `JSON.parse` tells neither the place of a fault (Node 20 mostly says no position) nor where an element stands, which is
 * needed to change one scenario and leave the others as their author wrote them.
 */
export function outlineScenarioFile(text: string): ScenarioFileOutline | OutlineFault {
  const scanner = new Scanner(text)
  try {
    return scanner.file()
  } catch (error) {
    if (error instanceof Fault) return { at: error.at, message: error.message }
    throw error
  }
}

/** Gives `line:column` of places in a text, both from 1; a column is a UTF-16 code unit, as editors count. */
export function lineAndColumnIn(text: string): (at: number) => string {
  const starts = [0]
  for (const lineEnd of text.matchAll(/\r\n|\n|\r/g)) starts.push(lineEnd.index + lineEnd[0].length)
  return at => {
    let low = 0
    for (let high = starts.length; high - low > 1; ) {
      const middle = (low + high) >> 1
      if (starts[middle]! <= at) low = middle
      else high = middle
    }
    return `${low + 1}:${at - starts[low]! + 1}`
  }
}

class Scanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  file(): ScenarioFileOutline {
    if (this.#text.charCodeAt(0) === 0xfeff) this.#at = 1
    const start = this.#space()
    let outline: ScenarioFileOutline | undefined
    let isScenario = false
    if (this.#text[start] === '[') outline = this.#list()
    else if (this.#text[start] === '{') {
      this.#object(1, key => {
        if (key === 'scenario_id') isScenario = true
        if (key !== 'scenarios') return false
        const at = this.#space()
        if (this.#text[at] !== '[') throw new Fault(at, `"scenarios" must be a list. Found: ${this.#found(at)}.`)
        if (outline !== undefined) throw new Fault(at, 'There must be one list "scenarios". Found: a second one.')
        outline = this.#list()
        return true
      })
      const whole = { from: start, to: this.#at }
      if (isScenario && outline === undefined) outline = { list: whole, entries: [whole] }
    } else {
      throw new Fault(start, `A scenario file must be a list, or {"scenarios": [ … ]}. Found: ${this.#found(start)}.`)
    }
    const end = this.#space()
    if (end < this.#text.length) throw new Fault(end, `Nothing may follow the end. Found: ${this.#found(end)}.`)
    if (outline === undefined)
      throw new Fault(
        start,
        'The object must be a scenario, with a scenario_id, or have a list "scenarios". Found: neither.',
      )
    return outline
  }

  #list(): ScenarioFileOutline {
    const from = this.#at
    const entries: Span[] = []
    this.#array(1, span => entries.push(span))
    return { list: { from, to: this.#at }, entries }
  }

  #value(depth: number): void {
    const at = this.#space()
    if (depth > MAX_DEPTH) throw new Fault(at, `Values may be nested ${MAX_DEPTH} deep. Found: more.`)
    const first = this.#text[at]
    if (first === '{') this.#object(depth)
    else if (first === '[') this.#array(depth)
    else if (first === '"') this.#string()
    else {
      const word = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y
      word.lastIndex = at
      if (!word.test(this.#text)) {
        const hint = first === "'" ? ' Text stands in double quotes.' : first === '/' ? ' JSON has no comments.' : ''
        throw new Fault(at, `A value must stand here.${hint} Found: ${this.#found(at)}.`)
      }
      this.#at = word.lastIndex
    }
  }

  #array(depth: number, each?: (span: Span) => void): void {
    this.#at += 1
    if (this.#closes(']')) return
    for (;;) {
      const from = this.#space()
      if (this.#text[from] === ']') throw new Fault(from, 'No comma may stand before a ]. Found: one.')
      this.#value(depth + 1)
      each?.({ from, to: this.#at })
      if (!this.#more(']')) return
    }
  }

  /** `member` may take the value itself and then says true. */
  #object(depth: number, member?: (key: string) => boolean): void {
    this.#at += 1
    if (this.#closes('}')) return
    for (;;) {
      const at = this.#space()
      if (this.#text[at] === '}') throw new Fault(at, 'No comma may stand before a }. Found: one.')
      if (this.#text[at] !== '"')
        throw new Fault(at, `A name in double quotes must stand here. Found: ${this.#found(at)}.`)
      const key = this.#string()
      const colon = this.#space()
      if (this.#text[colon] !== ':')
        throw new Fault(colon, `A colon must follow the name. Found: ${this.#found(colon)}.`)
      this.#at = colon + 1
      if (!member?.(key)) this.#value(depth + 1)
      if (!this.#more('}')) return
    }
  }

  #closes(bracket: string): boolean {
    const at = this.#space()
    if (this.#text[at] !== bracket) return false
    this.#at = at + 1
    return true
  }

  #more(bracket: string): boolean {
    const at = this.#space()
    const next = this.#text[at]
    if (next !== ',' && next !== bracket)
      throw new Fault(at, `A comma or ${bracket} must stand here. Found: ${this.#found(at)}.`)
    this.#at = at + 1
    return next === ','
  }

  #string(): string {
    const from = this.#at
    const text = this.#text
    let at = from + 1
    for (; ; at++) {
      const code = text.charCodeAt(at)
      if (code === 0x22) break
      if (Number.isNaN(code)) throw new Fault(from, 'A text must end with a double quote. Found: the end of the file.')
      if (code < 0x20)
        throw new Fault(at, `A text must not hold line ends or control characters. Found: ${this.#found(at)}.`)
      if (code === 0x5c) {
        const escaped = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
        escaped.lastIndex = at
        if (!escaped.test(text))
          throw new Fault(at, `\\ must begin an escape such as \\" or \\n. Found: ${this.#found(at + 1)}.`)
        at = escaped.lastIndex - 1
      }
    }
    this.#at = at + 1
    return JSON.parse(text.slice(from, at + 1)) as string
  }

  /** Skips white space. */
  #space(): number {
    const text = this.#text
    let at = this.#at
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break
    }
    this.#at = at
    return at
  }

  #found(at: number): string {
    if (at >= this.#text.length) return 'the end of the file'
    const word = /^[\w.+-]{1,20}/.exec(this.#text.slice(at, at + 20))
    return JSON.stringify(word?.[0] ?? String.fromCodePoint(this.#text.codePointAt(at) as number))
  }
}
