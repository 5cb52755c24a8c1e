import { createTracker, type Tracker } from '@headwater/sdk'
import { tagRules } from '@headwater/sdk/rules'
import { readConsent } from './consent.ts'
import { signedInMember } from './session.ts'
import { TAG_RULES } from './tag-rules.ts'

/** The page's one tracker. It is made outside of components: those are rendered any number of times. */
export let tracker: Tracker

/**
 * Called after the first render: the first page view is reported at once, with the title the page has then.
 * The following page views come by themselves when the router changes the path. `?sort=` makes no other page here.
 */
export function startTracking(): void {
  tracker = createTracker({
    endpoint: import.meta.env.VITE_COLLECTOR ?? 'http://localhost:8000',
    siteId: import.meta.env.VITE_SITE_ID ?? 1,
    consent: readConsent(),
    // Who comes back within a session is signed in already when the first page view is sent.
    memberId: signedInMember(),
    plugins: [tagRules(TAG_RULES)],
  })
}
