import { serviceOrSkip } from '@headwater/testkit'
import { describe } from 'vitest'
import { mariadbMemberStore } from '../../src/stores/mariadb-member-store.ts'
import { mariadbScenarioStore } from '../../src/stores/mariadb-scenario-store.ts'
import { testMemberStore } from '../contracts/member-store.ts'
import { testScenarioStore } from '../contracts/scenario-store.ts'
import { contractMembers } from './contract-members.ts'
import { MariadbFixture, mariadbIsThere, silent } from './mariadb-fixture.ts'

describe.skipIf(!serviceOrSkip('mariadbd', mariadbIsThere))('with a real MariaDB', () => {
  const fixture = new MariadbFixture()

  testScenarioStore('mariadbScenarioStore', {
    make: async () => {
      const { database, db } = await fixture.migrated()
      return {
        store: mariadbScenarioStore({ db, pollMs: 50, log: silent }),
        reopen: () => mariadbScenarioStore({ db: fixture.connect(database), pollMs: 50, log: silent }),
      }
    },
  })

  let members: Awaited<ReturnType<MariadbFixture['migrated']>> | undefined
  testMemberStore('mariadbMemberStore', {
    make: async () => {
      if (members === undefined) {
        members = await fixture.migrated()
        await contractMembers(members.db)
      }
      return mariadbMemberStore({ db: members.db })
    },
  })
})
