import type { PageElement } from './ports.ts'
import type { EventOptions } from './tracked-event.ts'

/** The arguments of `event()` that a click stands for. */
export type DeclaredClick = [category: string, action: string, name: string | undefined, options: EventOptions]

/**
 * The click that the innermost element with `data-hw-event` declares, or `undefined`. `path` is `event.composedPath()`,
 * innermost first: it reaches through nested elements and open shadow trees, where `closest` ends at the root.
 */
export function declaredClick(path: readonly PageElement[]): DeclaredClick | undefined {
  for (const { dataset } of path) {
    const category = dataset?.hwEvent
    if (category) {
      const { hwAction = 'Clicked', hwName, hwValue: value, hwScenario: scenarioId } = dataset
      return [category, hwAction, hwName, { value, scenarioId }]
    }
  }
  return undefined
}
