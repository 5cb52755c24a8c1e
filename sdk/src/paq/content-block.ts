import type { PageElement } from '../ports.ts'

/** A content block in Matomo's parameters: name, piece and target. */
export interface ContentParams {
  c_n: string
  c_p: string | undefined
  c_t: string | undefined
}

/** What marks a content block. */
export const CONTENT_BLOCK = '[data-track-content],.matomoTrackContent,.piwikTrackContent'

/**
 * Reads a content block as Matomo does (https://developer.matomo.org/guides/content-tracking): attributes first, then the
 * first image's file and the first link's address, without the page's own origin.
 */
export function contentOf(block: PageElement, origin: string): ContentParams {
  const inside = (selector: string): PageElement | null | undefined =>
    block.matches?.(selector) ? block : block.querySelector?.(selector)
  const attribute = (name: string): string | undefined =>
    inside(`[${name}]`)?.getAttribute?.(name)?.trim().replace(origin, '')
  const c_p = attribute('data-content-piece') || attribute('src') || inside('[data-content-piece]')?.textContent?.trim()
  const c_t = attribute('data-content-target') || attribute('href')
  return { c_n: attribute('data-content-name') || c_p || 'Unknown', c_p, c_t }
}
