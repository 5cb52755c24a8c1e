import type { Plugin } from '../plugin.ts'
import type { PageElement } from '../ports.ts'

export interface LinkOptions {
  /** Endings of files that count as downloads, in place of the usual ones: `['pdf', 'zip']`. */
  extensions?: readonly string[] | undefined
  /** Hosts that are the site's own beside the page's: `shop.example`, `*.example.com`. */
  domains?: readonly string[] | undefined
}

/** Endings of files that count as downloads, for a regular expression. */
const USUAL_DOWNLOADS =
  '7z|apk|csv|dmg|docx?|exe|gz|mov|mp[34]|msi|od[pst]|pdf|pptx?|rar|rtf|tar|tgz|txt|wav|webm|xlsx?|xml|zip'

/** A link as it is reported, in Matomo's parameters; `undefined` when it stays within the site. */
export function reportedLink(
  element: PageElement,
  pageUrl: string,
  { extensions, domains = [] }: LinkOptions,
): { link: string } | { download: string } | undefined {
  const { href } = element
  // Links in SVG have an object there. Matomo's classes say what the address does not.
  const [, said] = /(?:matomo|piwik)_(ignore|download|link)/.exec(`${element.className}`) ?? []
  if (typeof href !== 'string' || !/^(http|ftp)s?:/.test(href) || said === 'ignore') return undefined
  const { host, pathname } = new URL(href)
  const file = new RegExp(`\\.(${extensions?.join('|') ?? USUAL_DOWNLOADS})$`, 'i').test(pathname)
  if (said === 'download' || (!said && (file || element.hasAttribute?.('download')))) return { download: href }
  const own = [new URL(pageUrl).host, ...domains].some(domain =>
    domain.startsWith('*.') ? `.${host}`.endsWith(domain.slice(1)) : host === domain,
  )
  return said || !own ? { link: href } : undefined
}

/** Reports clicks that leave the site or fetch a file, also with the middle button or the keyboard. */
export function links(options: LinkOptions = {}): Plugin {
  return (tracker, { on, ports }) => {
    for (const name of ['click', 'auxclick'])
      on(name, event => {
        // auxclick is the right button too, which only opens a menu.
        const element = event.button! < 2 && event.composedPath().find(({ href }) => href)
        const found = element && reportedLink(element, ports.page.url(), options)
        if (found) tracker.track(found)
      })
    return () => {}
  }
}
