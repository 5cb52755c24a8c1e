/** A known user's attributes by column name (`age`, `gender`, …), as text. */
export type Member = Readonly<Record<string, string>>
