import { serviceOrSkip } from '@headwater/testkit'
import { describe } from 'vitest'
import { redisStatsStore } from '../../src/stores/redis-stats-store.ts'
import { testStatsStore } from '../contracts/stats-store.ts'
import { RedisFixture, redisIsThere } from './redis-fixture.ts'

describe.skipIf(!serviceOrSkip('redis-server', redisIsThere))('with a real Redis', () => {
  const fixture = new RedisFixture()
  testStatsStore('redisStatsStore', {
    make: async () => {
      const keyPrefix = fixture.prefix()
      const redis = fixture.connect()
      return {
        store: redisStatsStore({ redis, keyPrefix }),
        reopen: () => redisStatsStore({ redis: fixture.connect(), keyPrefix }),
      }
    },
  })
})
