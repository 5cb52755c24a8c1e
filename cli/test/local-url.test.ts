import { expect, it } from 'vitest'
import { localUrl } from '../src/local-url.ts'

it.each([
  ['127.0.0.1', 'http://127.0.0.1:9464'],
  ['0.0.0.0', 'http://127.0.0.1:9464'],
  ['::', 'http://[::1]:9464'],
  ['::1', 'http://[::1]:9464'],
  ['metrics.internal', 'http://metrics.internal:9464'],
])('a server on %s is asked at %s', (host, url) => {
  expect(localUrl(host, 9464)).toBe(url)
  expect(() => new URL(url)).not.toThrow()
})
