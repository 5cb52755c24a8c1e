import type { PageElement } from './ports.ts'
import type { EventOptions } from './tracked-event.ts'

/** The arguments of `event()` that a click stands for; without a category nothing was declared. */
export type DeclaredClick = [category: string, action: string, name: string | undefined, options: EventOptions]

/**
 * The click that the innermost element with `data-hw-event` declares. `path` is `event.composedPath()`, innermost first: it
 * reaches through nested elements and open shadow trees, where `closest` ends at the root.
 */
export function declaredClick(path: readonly PageElement[]): DeclaredClick {
  const declared = path.find(({ dataset }) => dataset?.hwEvent)?.dataset
  const { hwEvent, hwAction = 'Clicked', hwName, hwValue: value, hwScenario: scenarioId } = declared ?? {}
  return [hwEvent!, hwAction, hwName, { value, scenarioId }]
}
