import { type DemoAction, type DemoEvent, type DemoPageLoad, type DemoQueryOptions, demoQuery } from './demo-event.ts'
import { DemoRandom, weighted } from './demo-random.ts'
import { CART, crawledPage, type DemoPage, entrancePage, nextPage } from './demo-site.ts'
import { arrival, DemoPeople, type DemoVisitor } from './demo-visitor.ts'

export interface DemoTrafficOptions extends DemoQueryOptions {
  seed: number
  /** The scenario that clicks on buy are sent to. */
  scenarioId: number
  /** Ids that visitors who sign in may have. */
  members: readonly string[]
  /**
   * `slot`: every event happens at the moment asked for, so the rate is exact. `own`: at its visitor's own time, so the time
   * a page is looked at is natural however few visitors there are.
   */
  timing: 'slot' | 'own'
}

interface Session {
  visitor: DemoVisitor
  isNew: boolean
  page: DemoPage
  load: DemoPageLoad
  /** What happens next, and when, Unix ms. */
  next: { at: number; what: 'view' | DemoAction | DemoEvent }
  /** Where the visitor goes after this page; decided when it is entered. */
  onward: DemoPage | undefined
}

const engagement = weighted<string>([
  ['e_c=engagement&e_a=scroll&e_n=75%25&ca=1', 40],
  ['e_c=video&e_a=play&e_n=product%20film&ca=1', 20],
  ['e_c=engagement&e_a=share&e_n=KakaoTalk&ca=1', 10],
  ['e_c=engagement&e_a=gallery&e_n=next&ca=1', 30],
])
const BUY_NAMES = ['buy', '%EA%B3%A0%EB%A9%B4%ED%95%A0%EB%8B%B9%ED%95%98%EA%B8%B0', '%EA%B5%AC%EB%A7%A4']

const BUY_SHARE = 0.11
const ENGAGEMENT_SHARE = 0.22
/** Of events: sent again because the answer was lost. */
const REPEAT_SHARE = 0.003

/**
 * Visitors who come, look at pages, click, buy and leave; all of it follows from the seed. `next(at)` gives the next event up
 * to `at`: of somebody who is here when one is due, else a new session begins at `at`. So as many events come as are
 * asked for, and the number of visitors follows.
 */
export class DemoTraffic {
  readonly #options: DemoTrafficOptions
  readonly #random: DemoRandom
  readonly #people: DemoPeople
  /** Sessions that go on, as a binary heap by `next.at`. */
  readonly #heap: Session[] = []
  /** Sessions begun so far. */
  sessions = 0

  constructor(options: DemoTrafficOptions) {
    this.#options = options
    this.#random = new DemoRandom(options.seed)
    this.#people = new DemoPeople(this.#random, options.members)
  }

  /** Different visitors so far. */
  get visitors(): number {
    return this.#people.count
  }

  /** The next event, at `slot` (Unix ms) or before; slots must not run back. */
  next(slot: number): DemoEvent {
    const first = this.#heap[0]
    if (first === undefined || first.next.at > slot) {
      const session = this.#begin(slot)
      const event = this.#happen(session, slot)
      if (Number.isFinite(session.next.at)) this.#push(session)
      return event
    }
    const event = this.#happen(first, this.#options.timing === 'slot' ? slot : first.next.at)
    if (Number.isFinite(first.next.at)) this.#sink(first)
    else this.#removeFirst()
    return event
  }

  #begin(at: number): Session {
    const random = this.#random
    const { visitor, isNew } = this.#people.arrive(at)
    const { encodedReferrer, encodedCampaign } = arrival(random)
    const page = visitor.device.bot ? crawledPage(random) : entrancePage(random)
    this.sessions++
    const session: Session = {
      visitor,
      isNew,
      page,
      load: this.#load(page, visitor.device.bot ? '' : encodedReferrer),
      next: { at, what: 'view' },
      onward: undefined,
    }
    if (encodedCampaign !== '' && !visitor.device.bot) session.load.encodedUrl += `%3F${encodedCampaign}`
    return session
  }

  #load(page: DemoPage, encodedReferrer: string): DemoPageLoad {
    const random = this.#random
    return { id: random.text(8), viewId: random.text(6), encodedUrl: page.encodedUrl, encodedReferrer, sequence: 0 }
  }

  /** What the session had planned happens now, and the next thing is planned; `next.at` is infinite when it is over. */
  #happen(session: Session, at: number): DemoEvent {
    const { what } = session.next
    if (typeof what === 'object' && 'query' in what) {
      const delaySeconds = Math.max(1, Math.floor((at - what.at) / 1000))
      this.#plan(session, at)
      return { ...what, at, tries: what.tries + 1, delaySeconds }
    }
    const action: DemoAction =
      what === 'view' ? { own: `action_name=${session.page.encodedTitle}`, path: 'matomo.php', leaving: false } : what
    session.load.sequence++
    const happened = Math.floor(at)
    const event: DemoEvent = {
      at: happened,
      path: action.path,
      query: demoQuery(
        action,
        session.load,
        session.visitor,
        this.#random.text(22),
        session.isNew,
        happened,
        this.#options,
      ),
      visitor: session.visitor,
      leaving: action.leaving,
      tries: 0,
      delaySeconds: 0,
    }
    // The SDK says so once: from then on it knows the visitor.
    session.isNew = false
    if (what === 'view') this.#look(session, at)
    else this.#plan(session, at)
    if (this.#random.chance(REPEAT_SHARE)) this.#repeat(session, event)
    return event
  }

  /** A page was entered: is something clicked on it, and where does it go from there? */
  #look(session: Session, at: number): void {
    const random = this.#random
    const { page, visitor } = session
    if (visitor.device.bot) {
      session.onward = random.chance(0.93) ? crawledPage(random) : undefined
      this.#plan(session, at)
      return
    }
    session.onward = nextPage(page, random)
    if (page.kind === 'product' && random.chance(BUY_SHARE)) {
      session.onward = CART
      const own = `e_c=buttonClick&e_a=Clicked&e_n=${random.pick(BUY_NAMES)}&e_v=${page.price}&ca=1`
      const click: DemoAction = { own, path: String(this.#options.scenarioId), leaving: true }
      session.next = { at: at + this.#dwell(session), what: click }
    } else if (random.chance(ENGAGEMENT_SHARE)) {
      const click: DemoAction = { own: engagement(random), path: 'matomo.php', leaving: false }
      session.next = { at: at + this.#dwell(session) / 2, what: click }
    } else this.#plan(session, at)
  }

  /** On to the next page, or away. */
  #plan(session: Session, at: number): void {
    const { onward } = session
    if (onward === undefined) {
      session.next = { at: Number.POSITIVE_INFINITY, what: 'view' }
      return
    }
    // Buying leaves the page at once.
    const leaving = typeof session.next.what === 'object' && session.next.what.leaving
    const wait = leaving ? this.#random.between(150, 900) : this.#dwell(session)
    session.load = this.#load(onward, session.visitor.device.bot ? '' : session.page.encodedUrl)
    session.page = onward
    session.onward = undefined
    session.next = { at: at + wait, what: 'view' }
  }

  /** The same event once more, after the SDK has waited for an answer; what else was planned comes after it, or never. */
  #repeat(session: Session, event: DemoEvent): void {
    const at = event.at + this.#random.between(1_000, 20_000)
    if (at < session.next.at && session.next.what !== 'view') session.next = { at, what: event }
    else if (session.next.at === Number.POSITIVE_INFINITY) session.next = { at, what: event }
  }

  /** How long a page is looked at, ms. */
  #dwell({ visitor, page }: Session): number {
    const random = this.#random
    if (visitor.device.bot) return random.between(300, 4_000)
    const seconds = page.kind === 'article' ? 55 : page.kind === 'product' ? 22 : 12
    return Math.min(900_000, random.waiting(seconds * 1000, 0.9))
  }

  #push(session: Session): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(session)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as Session
      if (above.next.at <= session.next.at) break
      heap[at] = above
      at = parent
    }
    heap[at] = session
  }

  #removeFirst(): void {
    const last = this.#heap.pop() as Session
    if (this.#heap.length > 0) this.#sink(last)
  }

  /** Puts `session` in place of the first and lets it sink to where it belongs. */
  #sink(session: Session): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      const right = heap[child + 1]
      if (right !== undefined && right.next.at < (heap[child] as Session).next.at) child++
      const below = heap[child] as Session
      if (below.next.at >= session.next.at) break
      heap[at] = below
      at = child
    }
    heap[at] = session
  }
}
