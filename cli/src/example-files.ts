import { fileURLToPath } from 'node:url'

/** A file of `examples/data/`, used when none is configured. */
export function exampleFile(name: 'scenarios.json' | 'members.csv'): string {
  return fileURLToPath(new URL(`../../examples/data/${name}`, import.meta.url))
}
