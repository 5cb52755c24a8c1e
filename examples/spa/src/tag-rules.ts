import type { Rule } from '@headwater/sdk/rules'

/** What is counted without a line in the components: somebody else may edit these. */
export const TAG_RULES: readonly Rule[] = [
  {
    id: 'sorting',
    on: 'click',
    selector: '.sort',
    track: { category: 'catalogue', action: 'sort', name: '{{text}}' },
  },
  {
    id: 'campaign',
    on: 'pageview',
    when: [{ left: 'query.utm_campaign', operator: 'exists' }],
    track: { category: 'campaign', action: 'landed', name: '{{query.utm_campaign}}' },
    once: 'session',
  },
]
