import { serviceOrSkip } from '@headwater/testkit'
import { describe } from 'vitest'
import { loadUws } from '../src/load-uws.ts'
import { testFront } from './contracts/front.ts'

const loaded = loadUws()
const reason = 'missing' in loaded ? loaded.missing : undefined

describe.skipIf(!serviceOrSkip('uWebSockets.js', 'uws' in loaded, reason))('on uWebSockets.js', () => {
  testFront({ frontEnd: 'uws', takesHttp10: false, takesPipelining: false, takesRawBytesInUrl: true })
})
