import { decoded } from '../decoded.ts'
import type { PageElement, PageEvent, Ports } from '../ports.ts'

const MAX_TEXT_CHARS = 200

/** What a rule fired on. */
export interface Happening {
  element?: PageElement | undefined
  event?: PageEvent | undefined
  /** `scroll`: per cent. */
  depth?: number | undefined
}

/**
 * The value of a name in conditions and templates, or `undefined`:
 *
 * - of the page: `url path host hash title referrer`, `query.<name>`
 * - of the element: `text id href tag`, `dataset.<name>`; `text` is not there when the element, or anything in or around
 *   it, has `data-hw-mask` or may hold what a visitor typed
 * - of the event: `detail` or `detail.<name>` (custom), `message` (error), `depth` (scroll)
 */
export function pageValue(name: string, { page }: Ports, { element, event, depth }: Happening): string | undefined {
  const url = new URL(page.url())
  const [, head, rest] = /^(\w+)\.?(.*)/.exec(name) ?? []
  const own = (from: unknown): unknown => (rest ? (from as Record<string, unknown> | undefined)?.[rest] : from)
  switch (head) {
    case 'url':
      return url.href
    case 'path':
      return decoded(url.pathname)
    case 'host':
      return url.hostname
    case 'hash':
      return url.hash
    case 'title':
      return page.title()
    case 'referrer':
      return page.referrer
    case 'query':
      return text(url.searchParams.get(rest!))
    case 'text':
      return element && textOf(element)
    case 'tag':
      return element?.tagName?.toLowerCase()
    case 'id':
    case 'href':
    case 'dataset':
      return text(own(element?.[head]))
    case 'detail':
    case 'message':
      return text(own(event?.[head]))
    case 'depth':
      return text(depth)
  }
  return undefined
}

const text = (value: unknown): string | undefined => (value === undefined || value === null ? undefined : `${value}`)

/** `{{name}}` becomes its value, or nothing. */
export function fillTemplate(
  template: string | number | undefined,
  value: (name: string) => string | undefined,
): string | undefined {
  return template?.toString().replace(/\{\{\s*([^{}]*?)\s*\}\}/g, (_all, name: string) => value(name) ?? '')
}

/** Not `innerText`, which costs a layout. */
function textOf(element: PageElement): string | undefined {
  const secret = '[data-hw-mask],input,textarea,select,[contenteditable]'
  if (element.closest?.(secret) || element.querySelector?.(secret)) return undefined
  return element.textContent?.trim().replace(/\s+/g, ' ').slice(0, MAX_TEXT_CHARS)
}
