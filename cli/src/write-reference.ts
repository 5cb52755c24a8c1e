import { writeFileSync } from 'node:fs'
import { configReference } from './config-reference.ts'
import { metricsReference } from './metrics-reference.ts'

// `npm run docs`: writes the reference pages that are generated.
writeFileSync(new URL('../../docs/reference/config.md', import.meta.url), configReference())
writeFileSync(new URL('../../docs/reference/metrics.md', import.meta.url), metricsReference())
