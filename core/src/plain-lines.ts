import { beaconTarget } from './beacon-target.ts'
import type { ByteString } from './byte-string.ts'
import { clientDelayMs, eventIdOf, siteIdOf, visitorIdOf } from './event-values.ts'
import { MAX_PARAMS, MAX_VALUE_BYTES } from './limits.ts'
import { type LineParts, lineParts } from './line-parts.ts'
import { BAD_BODY, CLIENT_DELAY, EVENT_ID, MEMBER_ID, SITE_ID, USER_ID, VISITOR_ID } from './names.ts'
import { PLACE_SIZE, PlainEvent, type PlainParams } from './plain-event.ts'

const DASH = 0x2d
const DOT = 0x2e
const EQUALS = 0x3d
const OPEN_BRACE = 0x7b

/** Within this no value can be too long, however it decodes. */
const MAX_QUERY = Math.floor(MAX_VALUE_BYTES / 3)
const PROTOCOL_LENGTH = ' HTTP/1.1'.length

const HIGH_BYTE = /[\x80-\xff]/

/** Parameters that say something about the event itself; 0 is for all others. */
const ROLES = [undefined, EVENT_ID, VISITOR_ID, MEMBER_ID, USER_ID, SITE_ID, CLIENT_DELAY, BAD_BODY]
const [, EVENT_ID_ROLE, VISITOR_ROLE, MEMBER_ROLE, USER_ROLE, SITE_ROLE, DELAY_ROLE, BAD_BODY_ROLE] = ROLES.keys()

/**
 * Names are remembered by their bytes, one a slot: those of a site are always the same few. Longer ones are not, because V8
 * makes a view of a slice of 13 characters, which would keep the whole text that it was cut from.
 */
const NAME_SLOTS = 1024
const MAX_NAME = 12

/** What the lines do not say themselves. */
export interface PlainLinesOptions {
  /** Names the source in position-made ids. */
  source: string
}

/**
 * Reads events from the lines that nearly all lines are: a beacon of one event, its parameters in the URL, without anything
 * that NGINX escapes. It makes no text of what nobody asks for: half the time of `parseLogLine` and `eventsOf`, and the event
 * is written as a copy of its bytes (docs/decisions/speed.md). All other lines it leaves to
 * those two; both ways give the same event (a property in `test/wire`).
 */
export class PlainLines {
  readonly #source: string
  readonly #names: string[] = new Array<string>(NAME_SLOTS).fill('')
  readonly #roles = new Uint8Array(NAME_SLOTS)
  readonly #params: PlainParams = { names: [], places: new Int32Array(1024) }
  /** The role of each parameter of the batch. */
  #rolesOf = new Uint8Array(256)
  #bytes: Uint8Array = new Uint8Array(0)
  #isAscii = false
  /** The first parameter of the line before. */
  #before = 0
  /** By role: which parameter has it, −1 for none. Of a repeated one the last counts. */
  readonly #with = new Int32Array(ROLES.length)

  constructor({ source }: PlainLinesOptions) {
    this.#source = source
  }

  /**
   * Turns to another batch, whose lines stand in `bytes`; `isAscii` says that all of them are below 0x80. The events of the
   * batch before are of no use any more.
   */
  begin(bytes: Uint8Array, isAscii: boolean): void {
    this.#bytes = bytes
    this.#isAscii = isAscii
    this.#params.names = []
    this.#before = 0
  }

  /**
   * The event of `line`, whose bytes begin at `at`, or `undefined`: then `parseLogLine` and `eventsOf` say what it is, as for
   * every line whose bytes do not end in `bytes`. `position` is the line's, for ids.
   */
  read(line: ByteString, at: number, position: number): PlainEvent | undefined {
    if (at + line.length > this.#bytes.length || line.charCodeAt(0) === OPEN_BRACE) return undefined
    if (line.includes('\\') || (!this.#isAscii && HIGH_BYTE.test(line))) return undefined
    const parts = lineParts(line)
    if ('rejected' in parts) return undefined
    const { requestFrom, requestTo, status } = parts
    if ((status < 200 || status > 299) && status !== 304 && status !== 499) return undefined
    let pathFrom = requestFrom
    if (line.startsWith('GET /', requestFrom)) pathFrom += 4
    else if (line.startsWith('POST /', requestFrom) && hasNoBody(line, parts)) pathFrom += 5
    else return undefined
    const queryTo = requestTo - PROTOCOL_LENGTH
    if (!line.startsWith(' HTTP/', queryTo) || line.charCodeAt(requestTo - 2) !== DOT) return undefined
    if (!isDigit(line, requestTo - 3) || !isDigit(line, requestTo - 1)) return undefined
    const pathTo = line.indexOf('?', pathFrom)
    if (pathTo < 0 || pathTo >= queryTo) return undefined
    const target = beaconTarget(line.slice(pathFrom, pathTo))
    if (target === undefined || target.kind === 'ingest') return undefined

    const from = this.#params.names.length
    if (!this.#readQuery(line, pathTo + 1, queryTo)) return undefined
    const event = new PlainEvent(line, this.#bytes, at, this.#params, from)
    if (target.kind === 'scenario') event.scenarioId = target.scenarioId
    return this.#fill(event, parts, position) ? event : undefined
  }

  /** Appends the query's parameters; `false`: it is not plain. */
  #readQuery(line: ByteString, from: number, to: number): boolean {
    if (to - from > MAX_QUERY) return false
    const params = this.#params
    const { names } = params
    const first = names.length
    if (this.#rolesOf.length < first + MAX_PARAMS) this.#grow()
    const { places } = params
    this.#with.fill(-1)
    let before = this.#before
    let percent = nextOr(line, '%', from, to)
    let end = to
    for (let nameFrom = from; nameFrom < to; nameFrom = end + 1) {
      end = nextOr(line, '&', nameFrom, to)
      if (end === nameFrom) continue
      const index = names.length
      if (index - first === MAX_PARAMS) return this.#leave(first)
      // The lines of a site have the same names in the same order, so the name that stood here before is tried first.
      const likely = before < first ? (names[before] as string) : ''
      let nameTo = nameFrom + likely.length
      if (likely !== '' && nameTo < end && line.charCodeAt(nameTo) === EQUALS && line.startsWith(likely, nameFrom)) {
        names.push(likely)
        this.#rolesOf[index] = this.#rolesOf[before] as number
      } else {
        nameTo = nextOr(line, '=', nameFrom, end)
        if (percent < nameFrom) percent = nextOr(line, '%', nameFrom, to)
        if (percent < nameTo) return this.#leave(first)
        names.push(this.#name(line, nameFrom, nameTo, index))
      }
      before++
      this.#with[this.#rolesOf[index] as number] = index
      if (percent < nameTo) percent = nextOr(line, '%', nameTo, to)
      const place = index * PLACE_SIZE
      places[place] = nameFrom
      places[place + 1] = nameTo
      places[place + 2] = Math.min(nameTo + 1, end)
      places[place + 3] = percent < end ? ~end : end
    }
    this.#before = first
    return true
  }

  /** Makes room for one more line; events that were read before keep the places they know. */
  #grow(): void {
    const size = this.#rolesOf.length * 2 + MAX_PARAMS
    const places = new Int32Array(size * PLACE_SIZE)
    places.set(this.#params.places)
    this.#params.places = places
    const roles = new Uint8Array(size)
    roles.set(this.#rolesOf)
    this.#rolesOf = roles
  }

  /** Takes back what was read of a query. */
  #leave(first: number): false {
    this.#params.names.length = first
    return false
  }

  /** The name of parameter `index` as text; notes its role. */
  #name(line: ByteString, from: number, to: number, index: number): string {
    const length = to - from
    this.#rolesOf[index] = 0
    if (length > MAX_NAME || length === 0) return line.slice(from, to)
    const slot = ((length * 31 + line.charCodeAt(from)) * 31 + line.charCodeAt(to - 1)) & (NAME_SLOTS - 1)
    let name = this.#names[slot] as string
    if (name.length !== length || !line.startsWith(name, from)) {
      name = line.slice(from, to)
      this.#names[slot] = name
      this.#roles[slot] = Math.max(0, ROLES.indexOf(name))
    }
    this.#rolesOf[index] = this.#roles[slot] as number
    return name
  }

  /** What `eventsOf` makes of the parameters and of the line; `false` when it rejects the event. */
  #fill(event: PlainEvent, parts: LineParts, position: number): boolean {
    const { line } = event
    if (this.#valueWith(event, BAD_BODY_ROLE) !== undefined) return false
    const site = this.#valueWith(event, SITE_ROLE)
    if (site !== undefined) event.siteId = siteIdOf(site)
    if (event.siteId === undefined && event.scenarioId === undefined) return false
    const ownId = this.#valueWith(event, EVENT_ID_ROLE) ?? ''
    let requestId: string | undefined
    if (ownId === '' && parts.requestIdFrom >= 0) {
      requestId = line.slice(parts.requestIdFrom, parts.requestIdTo)
      if (requestId === '-') requestId = undefined
    }
    event.eventId = eventIdOf(ownId, 0, requestId, this.#source, position)
    const visitor = this.#valueWith(event, VISITOR_ROLE)
    if (visitor !== undefined) event.visitorId = visitorIdOf(visitor)
    const member = this.#valueWith(event, MEMBER_ROLE) || this.#valueWith(event, USER_ROLE)
    if (member !== undefined && member !== '') event.memberId = member
    const delay = this.#valueWith(event, DELAY_ROLE)
    event.receivedAt = parts.msec ?? parts.timeLocal
    event.date = event.receivedAt - (delay === undefined ? 0 : clientDelayMs(delay))
    event.ip = line.slice(0, parts.addrTo)
    const { agentFrom, agentTo } = parts
    if (agentTo === agentFrom + 1 && line.charCodeAt(agentFrom) === DASH) return true
    event.userAgent = line.slice(agentFrom, agentTo)
    event.agentFrom = agentFrom
    event.agentTo = agentTo
    return true
  }

  #valueWith(event: PlainEvent, role: number | undefined): string | undefined {
    const index = this.#with[role as number] as number
    return index < 0 ? undefined : event.valueAt(index)
  }
}

/** Where `char` next stands from `from` on, or `none` when that is not before it. */
function nextOr(line: ByteString, char: string, from: number, none: number): number {
  const at = line.indexOf(char, from)
  return at < 0 || at > none ? none : at
}

/** Whether NGINX printed no body, or the format has none: `eventsOf` takes `-` for a missing one too. */
function hasNoBody(line: ByteString, { bodyFrom, bodyTo }: LineParts): boolean {
  if (bodyFrom < 0 || bodyTo === bodyFrom) return true
  return bodyTo === bodyFrom + 1 && line.charCodeAt(bodyFrom) === DASH
}

function isDigit(line: ByteString, at: number): boolean {
  const code = line.charCodeAt(at)
  return code >= 0x30 && code <= 0x39
}
