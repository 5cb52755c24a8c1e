import { describe, expect, it } from 'vitest'
import { type PageKeyOptions, pageKey } from '../src/page-key.ts'

describe('Two addresses are the same page', () => {
  const same = (a: string, b: string, options: PageKeyOptions = {}): boolean =>
    pageKey(`https://shop.example${a}`, options) === pageKey(`https://shop.example${b}`, options)

  it('when only query or fragment differ', () => expect(same('/a?page=1#x', '/a?page=2#y')).toBe(true))
  it('but not when the path differs', () => expect(same('/a', '/b')).toBe(false))
  it('but not when a listed query parameter differs', () => {
    expect(same('/a?page=1', '/a?page=2', { query: ['page'] })).toBe(false)
    expect(same('/a?page=1&x=1', '/a?x=2&page=1', { query: ['page'] })).toBe(true)
  })
  it('but not when the fragment differs and counts', () => expect(same('/#/a', '/#/b', { hash: true })).toBe(false))
})
