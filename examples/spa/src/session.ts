/** Who is signed in. A real shop asks its server; this one believes the number that is typed. */
const KEY = 'shop-member'

export function signedInMember(): string | null {
  return sessionStorage.getItem(KEY)
}

export function keepMember(memberId: string | null): void {
  if (memberId === null) sessionStorage.removeItem(KEY)
  else sessionStorage.setItem(KEY, memberId)
}
