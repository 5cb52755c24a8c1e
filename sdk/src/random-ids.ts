type RandomBytes = (count: number) => Uint8Array

/** `length` random characters of base64url: 131 random bits in 22, as `+` and `/` become one. */
export function randomText(randomBytes: RandomBytes, length: number): string {
  return btoa(String.fromCharCode(...randomBytes(length)))
    .replace(/\W/g, '-')
    .slice(0, length)
}

/** 16 hex digits: a visitor id in Matomo's form. */
export function randomVisitorId(randomBytes: RandomBytes): string {
  return Array.from(randomBytes(16), byte => (byte & 15).toString(16)).join('')
}
