/** Percent-decoded as a whole, or as it is when it cannot be. */
export function decoded(text: unknown): string {
  try {
    return decodeURIComponent(`${text}`)
  } catch {
    return `${text}`
  }
}
