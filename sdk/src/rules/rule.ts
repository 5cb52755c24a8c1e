import type { Condition } from './condition.ts'

/** What sets a rule off; `custom` is a DOM event of any name, dispatched by the page. */
export type RuleTrigger = 'click' | 'submit' | 'scroll' | 'visible' | 'timer' | 'pageview' | 'error' | 'custom'

/**
 * One tag rule: what happens, under which conditions, and what is then reported. Data only: no code in it is ever run.
 *
 *     { "on": "click", "selector": "a.buy", "when": [{ "left": "path", "operator": "starts_with", "right": "/shop" }],
 *       "track": { "scenario": 5, "category": "buy", "action": "Clicked", "name": "{{dataset.sku}}" }, "once": "session" }
 */
export interface Rule {
  /** Its name in the preview, and for counting across pages. Default: its text, so that an edited rule counts anew. */
  id?: string
  on: RuleTrigger
  /** CSS. Needed by `visible`; for `click`, `submit` and `custom` the event must come from within such an element. */
  selector?: string
  /** All must hold. */
  when?: readonly Condition[]
  /** Texts may hold templates: `{{text}}`, `{{dataset.sku}}`, `{{query.utm_source}}`. */
  track: {
    scenario?: number | string
    category: string
    action?: string
    name?: string
    value?: number | string
  }
  /** At most `limit` times (default 1) for a page view, a visit (30 minutes without activity end it), or a visitor. */
  once?: 'page' | 'session' | 'visitor'
  /** Default: no limit, 1 with `once`. */
  limit?: number
  /** `scroll`: per cent of the page's height. Default 50. */
  depth?: number
  /** `timer`: after the page view, in milliseconds. Default 10 000. */
  afterMs?: number
  /** `custom`: the name of the DOM event. */
  event?: string
}
