import { type DemoRandom, weighted } from './demo-random.ts'
import { DEMO_ORIGIN } from './demo-site.ts'

/** What a browser tells about itself. */
export interface DemoDevice {
  userAgent: string
  resolution: string
  bot: boolean
  /** The SDK says so where the browser admits that a program drives it (`navigator.webdriver`). */
  automated: boolean
}

/** One who comes once or again. */
export interface DemoVisitor {
  /** 16 hex digits. */
  id: string
  device: DemoDevice
  /** Of the member file; most visitors never sign in. */
  memberId: string | undefined
  ip: string
  /** Minutes east of UTC: `h`, `m`, `s` are the visitor's own. */
  zoneMinutes: number
  /** When the last session began, Unix ms. */
  seenAt: number
}

const device = (userAgent: string, resolution: string, bot = false, automated = false): DemoDevice => ({
  userAgent,
  resolution,
  bot,
  automated,
})
const CHROME = 'AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0'

const browser = weighted<DemoDevice>([
  [device(`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${CHROME} Safari/537.36`, '1920x1080'), 24],
  [device(`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${CHROME} Safari/537.36 Edg/126.0.0.0`, '1536x864'), 8],
  [device(`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${CHROME} Whale/3.26.244.21 Safari/537.36`, '1920x1080'), 5],
  [device(`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${CHROME} Safari/537.36`, '1728x1117'), 7],
  [
    device(
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15',
      '1440x900',
    ),
    5,
  ],
  [device('Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0', '2560x1440'), 4],
  [
    device(
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
      '393x852',
    ),
    19,
  ],
  [device(`Mozilla/5.0 (Linux; Android 14; SM-S921N) ${CHROME} Mobile Safari/537.36`, '412x915'), 15],
  [
    device(
      'Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S921N) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36',
      '412x915',
    ),
    8,
  ],
  [
    device(
      `Mozilla/5.0 (Linux; Android 14; SM-S921N; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36 KAKAOTALK 10.8.3`,
      '412x915',
    ),
    3,
  ],
  [
    device(
      'Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
      '820x1180',
    ),
    2,
  ],
])

const robot = weighted<DemoDevice>([
  [
    device(
      `Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/126.0.0.0 Safari/537.36`,
      '412x732',
      true,
    ),
    60,
  ],
  [
    device(
      `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36`,
      '800x600',
      true,
      true,
    ),
    40,
  ],
])

const zone = weighted([
  [540, 78],
  [0, 7],
  [120, 8],
  [-240, 7],
])

/** How a session begins: what stands behind `urlref` and behind the address of the first page. Both percent-encoded. */
export interface DemoArrival {
  encodedReferrer: string
  encodedCampaign: string
}

const from = (referrer: string, campaign = ''): DemoArrival => ({
  encodedReferrer: encodeURIComponent(referrer),
  encodedCampaign: encodeURIComponent(campaign),
})

export const arrival = weighted<DemoArrival>([
  [from(''), 34],
  [from('https://www.google.com/'), 20],
  [from('https://search.naver.com/search.naver?query=shop'), 16],
  [from('https://search.daum.net/'), 3],
  [from('https://www.bing.com/'), 3],
  [from('https://m.facebook.com/'), 3],
  [from('https://l.instagram.com/'), 5],
  [from('https://news.example/gift-guide'), 4],
  [from('', 'mtm_campaign=november&mtm_source=newsletter&mtm_medium=email'), 6],
  [from('https://www.google.com/', 'utm_campaign=brand&utm_source=google&utm_medium=cpc&gclid=Cj0KCQ'), 4],
  [from('https://l.instagram.com/', 'utm_campaign=winter-sale&utm_source=instagram&utm_medium=social'), 2],
])

/** Of sessions, not of people. */
const BOT_SHARE = 0.04
const RETURN_SHARE = 0.38
const MEMBER_SHARE = 0.3
/** Matomo's end of a visit: earlier it would be the same one. */
const RETURN_AFTER_MS = 30 * 60_000
/** Those who may come back; the ones before them never do. */
const MAX_REMEMBERED = 20_000

/** Who comes: somebody new, or one who was here before. */
export class DemoPeople {
  readonly #random: DemoRandom
  readonly #members: readonly string[]
  readonly #remembered: DemoVisitor[] = []
  #next = 0
  /** Different visitors so far. */
  count = 0

  constructor(random: DemoRandom, members: readonly string[]) {
    this.#random = random
    this.#members = members
  }

  /** The visitor of a session that begins at `at` (Unix ms), and whether the SDK never saw that browser before. */
  arrive(at: number): { visitor: DemoVisitor; isNew: boolean } {
    const random = this.#random
    const returns = random.chance(RETURN_SHARE)
    if (returns && this.#remembered.length > 0) {
      const visitor = random.pick(this.#remembered)
      if (at - visitor.seenAt > RETURN_AFTER_MS) {
        visitor.seenAt = at
        return { visitor, isNew: false }
      }
    }
    // Nobody of those who came may be back already: then it is one who was here before all this began.
    const isBot = !returns && random.chance(BOT_SHARE / (1 - RETURN_SHARE))
    const visitor: DemoVisitor = {
      id: random.hex(16),
      device: isBot ? robot(random) : browser(random),
      memberId:
        !isBot && this.#members.length > 0 && random.chance(MEMBER_SHARE) ? random.pick(this.#members) : undefined,
      // Addresses that are nobody's: RFC 5737 and the benchmark network of RFC 2544.
      ip: isBot ? `192.0.2.${random.between(1, 254)}` : `198.18.${random.between(0, 255)}.${random.between(1, 254)}`,
      zoneMinutes: zone(random),
      seenAt: at,
    }
    this.count++
    if (!isBot) {
      this.#remembered[this.#next] = visitor
      this.#next = (this.#next + 1) % MAX_REMEMBERED
    }
    return { visitor, isNew: !returns }
  }
}

/** What a browser sends as `Referer` and `Origin` to another site (its default policy: strict-origin-when-cross-origin). */
export const REFERER = `${DEMO_ORIGIN}/`
