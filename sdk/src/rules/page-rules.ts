import type { Rule } from './rule.ts'

/**
 * The rules that the page brings along, in every `<script type="application/json" data-hw-rules>`. Resolves when the
 * document is parsed, since they may stand below our script. What is no JSON rejects.
 */
export async function pageRules(): Promise<Rule[]> {
  if (document.readyState === 'loading')
    await new Promise(resolve => document.addEventListener('DOMContentLoaded', resolve))
  return [...document.querySelectorAll('script[data-hw-rules]')].flatMap(({ textContent }) => JSON.parse(textContent!))
}
