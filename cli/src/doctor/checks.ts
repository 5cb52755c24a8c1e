import { archiveCheck } from './archive-check.ts'
import type { Check } from './check.ts'
import { lockCheck, spaceCheck, writeCheck } from './folder-checks.ts'
import { memberCheck, scenarioCheck } from './judgement-checks.ts'
import { portCheck } from './port-checks.ts'
import { clockCheck, nodeCheck, uwsCheck } from './runtime-checks.ts'
import { progressCheck, sizeCheck, stateCheck } from './state-checks.ts'
import { tlsCheck } from './tls-check.ts'

/** Everything `headwater doctor` looks at, in the order in which it says it. */
export const CHECKS: readonly Check[] = [
  nodeCheck,
  uwsCheck,
  clockCheck,
  writeCheck,
  spaceCheck,
  lockCheck,
  portCheck,
  tlsCheck,
  scenarioCheck,
  memberCheck,
  stateCheck,
  progressCheck,
  sizeCheck,
  archiveCheck,
]
