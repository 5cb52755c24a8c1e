import { testFront } from './contracts/front.ts'

testFront({ frontEnd: 'node', takesHttp10: true, takesPipelining: true, takesRawBytesInUrl: false })
