/** Longer texts are handed to `JSON.stringify`, which then is the faster one. */
const MAX_SCANNED = 64

const MAX_NAMES = 1000
let quotedNames = new Map<string, string>()

/** A text as a JSON string. Same result as `JSON.stringify`, in a third of its time for the short plain texts of records. */
export function quoteText(text: string): string {
  const { length } = text
  if (length > MAX_SCANNED) return JSON.stringify(text)
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    // Beyond ASCII there may be lone surrogates, which JSON must escape.
    if (code < 0x20 || code === 0x22 || code === 0x5c || code > 0x7f) return JSON.stringify(text)
  }
  return `"${text}"`
}

/** As `quoteText`, for names: the same few come again and again, so up to 1,000 short ones are remembered. */
export function quoteName(name: string): string {
  const known = quotedNames.get(name)
  if (known !== undefined) return known
  const quoted = quoteText(name)
  if (name.length > MAX_SCANNED) return quoted
  if (quotedNames.size >= MAX_NAMES) quotedNames = new Map()
  // Joined and cut, so that the key is a string of its own: a slice would keep the whole log chunk alive in V8.
  quotedNames.set(` ${name}`.slice(1), quoted)
  return quoted
}
