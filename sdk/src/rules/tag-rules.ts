import { scrollDepth } from '../browser/scroll-depth.ts'
import { watchVisible } from '../browser/watch-visible.ts'
import type { Plugin } from '../plugin.ts'
import { watchScroll } from '../plugins/watch-scroll.ts'
import type { Stop } from '../ports.ts'
import { holds } from './condition.ts'
import { firingCounts } from './firing-counts.ts'
import { fillTemplate, type Happening, pageValue } from './page-values.ts'
import type { Rule } from './rule.ts'

export type { Condition } from './condition.ts'
export type { Rule, RuleTrigger } from './rule.ts'

/** What a rule did with what happened, for the preview. */
export type Preview = (rule: Rule, result: 'waiting' | 'fired' | 'not met' | 'limit') => void

export interface RuleOptions {
  /** Is told about every rule once it is known, and whenever it is set off. */
  preview?: Preview | undefined
  /** How far down the page is, in per cent. */
  depth?: () => number
  /** Calls with each element of a selector when it comes into view. */
  visible?: typeof watchVisible
}

/** Reports what declarative rules say. They may come later, as a promise; a page view that has begun still counts then. */
export function tagRules(
  given: readonly Rule[] | Promise<readonly Rule[]>,
  { preview, depth = scrollDepth, visible = watchVisible }: RuleOptions = {},
): Plugin {
  return (tracker, host) => {
    const { ports, on, safely, warn } = host
    const { clock } = ports
    const counts = firingCounts(host)
    /** What each page view begins anew. */
    const begin: (() => Stop | undefined)[] = []
    const ends: (Stop | undefined)[] = []
    let viewing = false

    const stop = (): void => {
      for (const end of ends.splice(0)) end?.()
    }
    host.stops.push(stop)
    const start = (): void => {
      stop()
      // One that cannot begin, for its selector is none, keeps no other from it.
      begin.forEach(safely(rule => ends.push(rule())))
    }

    const add = (rule: Rule): void => {
      const { selector, when = [], track, depth: percent = 50 } = rule
      const fire = safely((happening: Happening) => {
        const value = (name: string): string | undefined => pageValue(name, ports, happening)
        const met = when.every(({ left, operator, right = '' }) => holds(value(left), operator, `${right}`))
        const fires = met && counts.take(rule)
        preview?.(rule, fires ? 'fired' : met ? 'limit' : 'not met')
        if (!fires) return
        const fill = (template: string | number | undefined): string | undefined => fillTemplate(template, value)
        const { scenario: scenarioId, category, action = rule.on, name } = track
        tracker.event(fill(category)!, fill(action)!, fill(name), { value: fill(track.value), scenarioId })
      })
      preview?.(rule, 'waiting')
      switch (rule.on) {
        case 'scroll': {
          let reached = false
          begin.push(() => {
            reached = false
            return undefined
          })
          watchScroll(host, () => {
            const now = depth()
            if (reached || now < percent) return
            reached = true
            fire({ depth: now })
          })
          break
        }
        case 'visible':
          begin.push(() => visible(selector!, element => fire({ element })))
          break
        case 'timer':
        case 'pageview': {
          const afterMs = rule.on === 'timer' ? (rule.afterMs ?? 10_000) : 0
          begin.push(() => clock.later(() => fire({}), afterMs))
          break
        }
        default:
          on(rule.event ?? rule.on, event => {
            const element = event.composedPath().find(one => !selector || one.matches?.(selector))
            // Images and scripts that fail to load have no message.
            if ((element || !selector) && (rule.on !== 'error' || event.message)) fire({ element, event })
          })
      }
    }

    Promise.resolve(given).then(
      safely(rules => {
        rules.forEach(safely(add))
        if (viewing) start()
      }),
      warn,
    )

    return (moment, { action_name }) => {
      if (moment === 'view') counts.turnPage()
      if (moment === 'event' && action_name !== undefined) {
        viewing = true
        // After the page view itself, which is only about to be sent.
        queueMicrotask(start)
      }
      if (moment === 'hide') counts.touch()
    }
  }
}
