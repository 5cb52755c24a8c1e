import { useState } from 'react'
import { keepConsent, readConsent } from './consent.ts'
import { tracker } from './tracker.ts'

/** Asks once. Until the answer the tracker sends and stores nothing; a yes also sends what happened before it on this page. */
export function ConsentBanner() {
  const [consent, setConsent] = useState(readConsent)
  const answer = (state: 'granted' | 'denied') => {
    keepConsent(state)
    tracker.consent(state)
    setConsent(state)
  }
  if (consent !== 'pending')
    return (
      <p className="consent">
        {consent === 'granted' ? 'Your clicks are counted.' : 'Your clicks are not counted.'}{' '}
        <button type="button" onClick={() => answer(consent === 'granted' ? 'denied' : 'granted')}>
          Change
        </button>
      </p>
    )
  return (
    <section className="consent" aria-label="Consent">
      May we count what you click here?{' '}
      <button type="button" onClick={() => answer('granted')}>
        Accept
      </button>{' '}
      <button type="button" onClick={() => answer('denied')}>
        Refuse
      </button>
    </section>
  )
}
