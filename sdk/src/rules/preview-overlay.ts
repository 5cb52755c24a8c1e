import type { Preview } from './tag-rules.ts'

/** Whether the page was opened with `?hw_debug=1`. */
export const previewWanted = (): boolean => /[?&]hw_debug=1/.test(location.search)

/** Shows in a corner of the page which rules there are and what they do. Styled by script: policies may forbid more. */
export function previewOverlay(): Preview {
  const box = document.createElement('pre')
  box.style.cssText = 'position:fixed;right:0;bottom:0;z-index:99999;padding:9px;background:#222;color:#fff'
  const lines = new Map<string, string>()
  return (rule, result) => {
    lines.set(rule.id ?? JSON.stringify(rule), result)
    box.textContent = [...lines].map(line => line.join(': ')).join('\n')
    document.body?.append(box)
  }
}
