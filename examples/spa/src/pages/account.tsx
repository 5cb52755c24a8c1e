import { useState } from 'react'
import { useNavigate } from 'react-router'
import { keepMember, signedInMember } from '../session.ts'
import { tracker } from '../tracker.ts'

export function Account() {
  const [member, setMember] = useState(signedInMember)
  const navigate = useNavigate()
  /** What follows belongs to this member; what came before stays anonymous. */
  const become = (memberId: string | null) => {
    keepMember(memberId)
    tracker.setMember(memberId)
    setMember(memberId)
  }
  return (
    <>
      <title>Account</title>
      <h1>Account</h1>
      {member === null ? (
        <form
          action={form => {
            become(String(form.get('member')))
            navigate('/')
          }}
        >
          <label>
            Member number <input name="member" required pattern="[0-9]+" autoComplete="username" />
          </label>{' '}
          <button type="submit">Sign in</button>
        </form>
      ) : (
        <p>
          You are member {member}.{' '}
          <button type="button" onClick={() => become(null)}>
            Sign out
          </button>
        </p>
      )}
    </>
  )
}
