type RandomBytes = (count: number) => Uint8Array

/**
 * Gives so many random letters and digits at each call: 131 random bits in 22. Made in advance, for ten events:
 * one by one they were a quarter of what `event()` costs.
 */
export function randomTexts(randomBytes: RandomBytes): (length: number) => string {
  let supply: string[] = []
  return length => {
    supply = supply[length] ? supply : btoa(String.fromCharCode(...randomBytes(188))).match(/\w/g)!
    return supply.splice(0, length).join('')
  }
}
