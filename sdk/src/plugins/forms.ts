import type { Plugin } from '../plugin.ts'
import type { PageElement, PageEvent } from '../ports.ts'

/** Not `form.id`: a field named `id` stands in its place. */
const nameOf = (form: PageElement): string =>
  ['name', 'id', 'action'].map(attribute => form.getAttribute?.(attribute)).find(Boolean) ?? 'form'

/**
 * Reports what happens to forms: `form / start` at the first input, `form / submit`, and `form / abandon` when the page is
 * hidden or left in between (there may be no later moment to tell it). The name is the form's `name`, `id` or `action`. Never a value, never a field; forms in
 * an element with `data-hw-mask` not at all.
 */
export function forms(): Plugin {
  return (tracker, { on }) => {
    const started = new Set<PageElement | undefined>()
    const formOf = (event: PageEvent): PageElement | undefined => {
      const form = event.composedPath().find(({ tagName }) => tagName === 'FORM')
      return form?.closest?.('[data-hw-mask]') ? undefined : form
    }
    on('input', event => {
      const form = formOf(event)
      if (form && !started.has(form)) tracker.event('form', 'start', nameOf(form))
      started.add(form)
    })
    on('submit', event => {
      const form = formOf(event)
      if (form) tracker.event('form', 'submit', nameOf(form))
      started.delete(form)
    })
    return moment => {
      if (moment !== 'view' && moment !== 'hide') return
      for (const form of started) if (form) tracker.event('form', 'abandon', nameOf(form))
      started.clear()
    }
  }
}
