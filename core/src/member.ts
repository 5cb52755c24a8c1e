/** A known user's attributes by column name (`age`, `gender`, …), as text. An attribute without a value is left out. */
export type Member = Readonly<Record<string, string>>

/** The value of an attribute. Names such as `constructor` are ordinary ones: only what the record itself holds counts. */
export function memberAttribute(member: Member | undefined, name: string): string | undefined {
  if (member === undefined || !Object.hasOwn(member, name)) return undefined
  return member[name]
}
