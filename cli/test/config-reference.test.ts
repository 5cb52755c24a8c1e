import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { configReference } from '../src/config-reference.ts'

it('docs/reference/config.md says what the schema says (npm run docs writes it)', () => {
  const page = readFileSync(new URL('../../docs/reference/config.md', import.meta.url), 'utf8')
  expect(page).toBe(configReference())
})
