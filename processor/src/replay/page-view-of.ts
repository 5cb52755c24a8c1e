import { type ByteString, decodeUtf8, type Event, recognizeUserAgent, SITE_ID, USER_ID } from '@headwater/core'
import { parseWebLogLine } from './web-log-line.ts'

export interface PageViewOptions {
  /** Scheme and host of the site, `https://shop.example`: what the log's paths are relative to. */
  origin: string
  siteId: number
  /** Names the lines in event ids: `p-<source>-<position>`. */
  source: string
}

/** Why a line is no page view. */
export type NoPageView =
  /** None of the known formats. */
  | 'bad_line'
  /** Another method than GET. */
  | 'not_get'
  /** Neither 2xx nor 304. */
  | 'no_success'
  /** A picture, script, font …, or `robots.txt`. */
  | 'asset'
  /** An archive, document, sound or film. */
  | 'download'
  | 'bot'

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '))

// The extensions are those of Matomo's log importer (matomo-log-analytics, import_logs.py), with the ones that have come up
// since. What stands in both lists there is an asset.
const ASSETS = words(
  'gif jpg jpeg png bmp ico svg svgz webp avif ttf otf eot woff woff2 class swf css js mjs map xml wasm webmanifest',
)
const DOWNLOADS = words(
  '7z aac apk arc arj asf asx avi azw3 bin bz2 csv deb dmg doc docx epub exe flac flv gz gzip hqx ibooks jar json md5 ' +
    'mobi mov movie mp2 mp3 mp4 mpeg mpg msi msp odb odf odg odp ods odt ogg ogv pdf phps ppt pptx qt qtm ra ram rar rpm ' +
    'rtf sea sig sit tar tbz tbz2 tgz torrent txt wav webm wma wmv wpd xls xlsx xsd z zip',
)

/**
 * The page view that a line of a web server's log stands for, decided as Matomo's log importer decides by default: a GET that
 * was answered with 2xx or 304 (the page was in the browser's cache), by no bot, of a path that is neither an asset nor a
 * download. Two differences: that importer reports downloads as downloads, and POSTs too; here only pages count, and bots
 * are known by the rules of `bot` in scenarios.
 *
 * Parameters: `url`, `urlref` (the Referer), `idsite`, `rec=1`, and `uid`, the user of HTTP authentication.
 */
export function pageViewOf(line: ByteString, position: number, options: PageViewOptions): Event | NoPageView {
  const end = line.length > 0 && line.charCodeAt(line.length - 1) === 0x0d ? line.length - 1 : line.length
  const parsed = parseWebLogLine(end === line.length ? line : line.slice(0, end))
  if (parsed === undefined) return 'bad_line'
  const { request, status } = parsed
  if (!request.startsWith('GET ')) return 'not_get'
  if ((status < 200 || status > 299) && status !== 304) return 'no_success'
  let targetEnd = request.lastIndexOf(' ')
  if (targetEnd < 4 || !request.startsWith('HTTP/', targetEnd + 1)) targetEnd = request.length
  const target = request.slice(4, targetEnd)
  const fate = fateOfPath(target)
  if (fate !== undefined) return fate
  const userAgent = parsed.userAgent === undefined ? '' : decodeUtf8(parsed.userAgent)
  if (recognizeUserAgent(userAgent).bot) return 'bot'

  const url = target.startsWith('/')
    ? originOf(parsed.virtualHost, options.origin) + decodeUtf8(target)
    : decodeUtf8(target)
  const params = ['url', url]
  if (parsed.referer !== undefined) params.push('urlref', decodeUtf8(parsed.referer))
  params.push(SITE_ID, String(options.siteId), 'rec', '1')
  const user = parsed.remoteUser === undefined ? undefined : decodeUtf8(parsed.remoteUser)
  if (user !== undefined) params.push(USER_ID, user)
  return {
    eventId: `p-${options.source}-${position}`,
    scenarioId: undefined,
    siteId: options.siteId,
    receivedAt: parsed.time,
    date: parsed.time,
    visitorId: undefined,
    memberId: user,
    ip: decodeUtf8(parsed.remoteAddr),
    userAgent,
    params,
  }
}

function fateOfPath(target: ByteString): 'asset' | 'download' | undefined {
  let end = target.indexOf('?')
  if (end < 0) end = target.length
  const hash = target.indexOf('#')
  if (hash >= 0 && hash < end) end = hash
  const slash = target.lastIndexOf('/', end - 1)
  const name = target.slice(slash + 1, end).toLowerCase()
  if (name === 'robots.txt') return 'asset'
  const dot = name.lastIndexOf('.')
  if (dot < 0) return undefined
  const extension = name.slice(dot + 1)
  if (ASSETS.has(extension)) return 'asset'
  return DOWNLOADS.has(extension) ? 'download' : undefined
}

/** A log of several hosts says which; port 443 is https, the scheme of all others that of `origin`. */
function originOf(virtualHost: ByteString | undefined, origin: string): string {
  if (virtualHost === undefined) return origin
  if (virtualHost.endsWith(':443')) return `https://${decodeUtf8(virtualHost.slice(0, -4))}`
  if (virtualHost.endsWith(':80')) return `http://${decodeUtf8(virtualHost.slice(0, -3))}`
  return origin.slice(0, origin.indexOf('://') + 3) + decodeUtf8(virtualHost)
}
