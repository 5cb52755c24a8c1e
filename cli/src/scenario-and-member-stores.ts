import { join } from 'node:path'
import { fileMemberStore, jsonScenarioStore, type MemberStore, type ScenarioStore } from '@headwater/processor'
import {
  cachedMemberStore,
  cachedScenarioStore,
  type Mariadb,
  mariadbMemberStore,
  mariadbScenarioStore,
  type RedisConnection,
} from '@headwater/processor/distributed'
import type { Logger } from 'pino'
import type { Config } from './config.ts'
import type { DataFolder } from './data-folder.ts'
import { exampleFile } from './example-files.ts'

export interface StoreParts {
  config: Config
  folder: DataFolder
  db: Mariadb | undefined
  redis: RedisConnection | undefined
  /** For those who only look at the scenarios: nothing is noted in the data folder. */
  readOnly?: boolean
  log: Logger
}

/** Scenarios of the distributed mode: in MariaDB, cached in Redis; without MariaDB in the file, which every host needs then. */
export function scenarioStoreOf({ config, folder, db, redis, readOnly, log }: StoreParts): ScenarioStore {
  if (db === undefined)
    return jsonScenarioStore({
      file: config.scenarios.file ?? exampleFile('scenarios.json'),
      stateFile: join(folder.state, 'scenario-versions.json'),
      readOnly,
      log,
    })
  const scenarios = mariadbScenarioStore({ db, log })
  return redis === undefined ? scenarios : cachedScenarioStore({ store: scenarios, redis, log })
}

/** Members likewise. `stop` ends the watching for changes. */
export function memberStoreOf({ config, db, redis, log }: StoreParts, stop: AbortSignal): MemberStore {
  if (db === undefined) {
    const members = fileMemberStore({ file: config.members.file ?? exampleFile('members.csv'), log })
    members.watch(() => {}, stop)
    return members
  }
  const members = mariadbMemberStore({ db })
  if (redis === undefined) return members
  const cached = cachedMemberStore({ store: members, redis, log })
  cached.watch(stop)
  return cached
}
