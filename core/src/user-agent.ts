/** What a `User-Agent` says. Texts are names as people write them; what is not recognised is `other`. */
export interface UserAgent {
  /** `Chrome`, `Edge`, `Firefox`, `Safari`, `Opera`, `Samsung Internet`, `Whale`, `KakaoTalk`, `Naver`, … or `other`. */
  browser: string
  /** `Windows`, `macOS`, `Linux`, `ChromeOS`, `Android`, `iOS` or `other`. */
  os: string
  device: 'desktop' | 'mobile' | 'tablet' | 'other'
  /** A crawler, a link preview, a monitor, a headless browser, or a program that says its name instead of a browser's. */
  bot: boolean
}

/*
 * Why no library: see docs/decisions/user-agent.md. The order of each list is its meaning: every browser claims to be the
 * ones before it in history (Edge says Chrome, Chrome says Safari), so the more special name stands first.
 * Tokens are lower case, as the agent is by then.
 */

/** [token, browser]. Apps that show pages in their own view stand before the browser whose engine they use. */
const BROWSERS: ReadonlyArray<readonly [string, string]> = [
  ['kakaotalk', 'KakaoTalk'],
  ['naver(', 'Naver'],
  ['instagram', 'Instagram'],
  ['fban/', 'Facebook'],
  ['fbav/', 'Facebook'],
  [' line/', 'LINE'],
  ['edg/', 'Edge'],
  ['edga/', 'Edge'],
  ['edgios/', 'Edge'],
  ['edge/', 'Edge'],
  ['opr/', 'Opera'],
  ['opt/', 'Opera'],
  ['opios/', 'Opera'],
  ['opera', 'Opera'],
  ['samsungbrowser/', 'Samsung Internet'],
  ['whale/', 'Whale'],
  ['yabrowser/', 'Yandex'],
  ['vivaldi/', 'Vivaldi'],
  ['ucbrowser/', 'UC Browser'],
  ['firefox/', 'Firefox'],
  ['fxios/', 'Firefox'],
  ['trident/', 'Internet Explorer'],
  ['msie ', 'Internet Explorer'],
  ['chrome/', 'Chrome'],
  ['crios/', 'Chrome'],
  ['chromium/', 'Chrome'],
  // Only the browser of old Androids has neither a name of its own nor Chrome's.
  ['android', 'Android Browser'],
  ['safari/', 'Safari'],
  // A page shown inside an app on iOS: the engine is Safari's, the word is missing.
  ['applewebkit/', 'Safari'],
]

/** [token, OS]. Windows Phone says Android, Android says Linux, an iPhone says `like Mac OS X`. */
const SYSTEMS: ReadonlyArray<readonly [string, string]> = [
  ['windows', 'Windows'],
  ['android', 'Android'],
  ['iphone', 'iOS'],
  ['ipad', 'iOS'],
  ['ipod', 'iOS'],
  ['cros ', 'ChromeOS'],
  ['macintosh', 'macOS'],
  ['mac os x', 'macOS'],
  ['linux', 'Linux'],
  ['x11', 'Linux'],
]

const TELEVISIONS = ['smart-tv', 'smarttv', 'smart tv', 'googletv', 'android tv', 'appletv', 'web0s', 'tizen']

/** `bot` itself is looked for apart, see `namesBot`. `+http` is the address that crawlers give for themselves. */
const BOTS = [
  '+http',
  'crawl',
  'spider',
  'slurp',
  'scrap',
  'headless',
  'phantomjs',
  'lighthouse',
  'pingdom',
  'uptime',
  'monitor',
  'preview',
  'externalhit',
  'facebookcatalog',
  'feedfetcher',
  'mediapartners-google',
  'google-inspectiontool',
  'googleother',
  'yeti/',
  'daumoa',
  'ia_archiver',
  'chatgpt-user',
  'claude-user',
  'perplexity',
  'whatsapp/',
  'curl/',
  'wget/',
  'httpie/',
  'python-',
  'python/',
  'java/',
  'libwww',
  'php/',
  'guzzle',
  'go-http-client',
  'httpclient',
  'okhttp/',
  'axios/',
  'node-fetch',
  'undici',
  'postman',
  'insomnia/',
  'apachebench',
]

/** No browser sends more; what lies behind is not looked at, so a hostile agent costs no more than a long honest one. */
const MAX_CHARS = 1024

/**
 * Reads a `User-Agent` header by ordered searches for tokens: linear, at most 1,024 characters, never throws.
 * An empty agent is `other` throughout and no bot: some log formats leave the header out. An iPad in its default desktop
 * mode says it is a Mac, and is believed. Costs some microseconds: `recognizeUserAgent` remembers.
 */
export function parseUserAgent(userAgent: string): UserAgent {
  const agent = userAgent.slice(0, MAX_CHARS).toLowerCase()
  const os = firstOf(SYSTEMS, agent)
  return { browser: firstOf(BROWSERS, agent), os, device: deviceOf(agent, os), bot: isBot(agent) }
}

function firstOf(list: ReadonlyArray<readonly [string, string]>, agent: string): string {
  for (const [token, name] of list) if (agent.includes(token)) return name
  return 'other'
}

function deviceOf(agent: string, os: string): UserAgent['device'] {
  if (os === 'other') return 'other'
  if (TELEVISIONS.some(token => agent.includes(token))) return 'other'
  if (os === 'iOS') return agent.includes('ipad') ? 'tablet' : 'mobile'
  // Android tablets differ from phones by not saying `Mobile`; Firefox says `Tablet`.
  if (os === 'Android') return agent.includes('mobile') && !agent.includes('tablet;') ? 'mobile' : 'tablet'
  if (os === 'Windows' && agent.includes('windows phone')) return 'mobile'
  return 'desktop'
}

function isBot(agent: string): boolean {
  return namesBot(agent) || BOTS.some(token => agent.includes(token))
}

/** `Googlebot/2.1`, `GPTBot;`, `robot`: a word that ends in `bot`. Cubot, which makes telephones, is none. */
function namesBot(agent: string): boolean {
  for (let at = agent.indexOf('bot'); at >= 0; at = agent.indexOf('bot', at + 3)) {
    const next = agent.charCodeAt(at + 3)
    const isLetter = next >= 0x61 && next <= 0x7a
    if (!isLetter && !agent.startsWith('cu', at - 2)) return true
  }
  return false
}

/** Two generations of at most this many: the most recent ones stay when the older half is let go. */
const MAX_REMEMBERED = 2000
/** Longer agents are rare and hostile: they are read anew each time, and take no memory. */
const MAX_REMEMBERED_CHARS = 512

let recent = new Map<string, UserAgent>()
let older = new Map<string, UserAgent>()

/** As `parseUserAgent`, and remembers the last some thousand agents: visitors send the same few again and again. */
export function recognizeUserAgent(userAgent: string): UserAgent {
  const known = recent.get(userAgent)
  if (known !== undefined) return known
  if (userAgent.length > MAX_REMEMBERED_CHARS) return parseUserAgent(userAgent)
  const result = older.get(userAgent) ?? parseUserAgent(userAgent)
  if (recent.size >= MAX_REMEMBERED) {
    older = recent
    recent = new Map()
  }
  recent.set(ownCopy(userAgent), result)
  return result
}

/**
 * A slice of a long string keeps the whole string alive in V8, here the log chunk from which the agent was cut. Joining
 * and cutting again makes a string of its own.
 */
function ownCopy(text: string): string {
  return ` ${text}`.slice(1)
}
