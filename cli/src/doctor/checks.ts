import { type Config, isDistributed } from '../config.ts'
import { archiveCheck } from './archive-check.ts'
import type { Check } from './check.ts'
import { lockCheck, spaceCheck, writeCheck } from './folder-checks.ts'
import { memberCheck, scenarioCheck } from './judgement-checks.ts'
import { portCheck } from './port-checks.ts'
import { clockCheck, nodeCheck, uwsCheck } from './runtime-checks.ts'
import { progressCheck, sizeCheck, stateCheck } from './state-checks.ts'
import { tlsCheck } from './tls-check.ts'

/** Everything `headwater doctor` looks at, in the order in which it says it. */
const EMBEDDED: readonly Check[] = [
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

/** … in the distributed mode of this host; what all hosts share comes behind it. */
const DISTRIBUTED_HOST: readonly Check[] = [
  nodeCheck,
  uwsCheck,
  clockCheck,
  writeCheck,
  spaceCheck,
  lockCheck,
  tlsCheck,
]

export async function checksFor(config: Config): Promise<readonly Check[]> {
  if (!isDistributed(config)) return EMBEDDED
  const { SHARED } = await import('./distributed-checks.ts')
  return [...DISTRIBUTED_HOST, ...SHARED]
}
