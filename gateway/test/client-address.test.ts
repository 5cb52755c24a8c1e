import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressText, anonymisedAddress, clientAddress, plainAddress, trustedProxies } from '../src/client-address.ts'

describe('the client of a request', () => {
  const trusted = trustedProxies(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32'])

  it.each([
    ['without proxies it is the peer', '203.0.113.1', undefined, '203.0.113.1'],
    ['a stranger is not believed', '203.0.113.1', '1.1.1.1', '203.0.113.1'],
    ['a trusted proxy is', '10.1.2.3', '1.1.1.1', '1.1.1.1'],
    ['the rightmost stranger counts: all before it is forged', '10.1.2.3', '8.8.8.8, 1.1.1.1, 10.9.9.9', '1.1.1.1'],
    ['when all are trusted it is the first', '10.1.2.3', '10.0.0.1,10.0.0.2', '10.0.0.1'],
    ['a single address may be trusted', '192.0.2.7', '1.1.1.1', '1.1.1.1'],
    ['its neighbour is not', '192.0.2.8', '1.1.1.1', '192.0.2.8'],
    ['IPv6 proxies and clients', '2001:db8::1', '2400::5, 2001:db8:9::2', '2400::5'],
    ['with ports and brackets', '10.1.2.3', '[2400::5]:443, 10.0.0.1:8080', '2400::5'],
    ['IPv4 in IPv6', '10.1.2.3', '::ffff:1.2.3.4', '1.2.3.4'],
    ['garbage ends the walk at who passed it on', '10.1.2.3', '1.1.1.1, unknown, 10.0.0.1', '10.0.0.1'],
    ['an empty entry too', '10.1.2.3', '1.1.1.1,,', '10.1.2.3'],
    ['a zone index is no address', '10.1.2.3', 'fe80::1%eth0', '10.1.2.3'],
  ])('%s', (_name, peer, forwardedFor, client) => {
    expect(clientAddress(peer, forwardedFor, trusted)).toBe(client)
  })

  it('is an address or the peer, whatever stands in the header', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('1', '.', ':', ',', ' ', '[', ']', 'a', '%', '\0') }), header => {
        expect(clientAddress('10.0.0.1', header, trusted)).toMatch(/^[0-9a-f.:]+$/)
      }),
    )
  })

  it('is found in linear time in a header of 32 KiB', () => {
    expect(clientAddress('10.0.0.1', '10.0.0.1,'.repeat(3600), trusted)).toBe('10.0.0.1')
  })

  it('refuses ranges that are none, all together', () => {
    expect(() => trustedProxies(['10.0.0.0/8', '10.0.0.0/33', 'proxy', '::/129', '1.2.3.4/', ''])).toThrow(
      'OPTIONS_INVALID: trustedProxies must hold addresses or CIDR ranges. Found: 10.0.0.0/33, proxy, ::/129, 1.2.3.4/, .',
    )
  })
})

describe('an address that may not be kept', () => {
  it.each([
    ['203.0.113.77', '203.0.113.0'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::'],
    ['2001:db8::7', '2001:db8::'],
    ['::1', '::'],
    ['fe80::1:2:3', 'fe80::'],
    ['::ffff:c000:0201', '::'],
    ['', '0.0.0.0'],
  ])('%s is cut to %s', (address, truncated) => {
    expect(anonymisedAddress(address, 'truncated')).toBe(truncated)
    expect(anonymisedAddress(address, 'none')).toBe('0.0.0.0')
    expect(anonymisedAddress(address, 'full')).toBe(address)
  })
})

describe('the text of an address', () => {
  it.each([
    ['7f000001', '127.0.0.1'],
    ['00000000000000000000ffffc0000201', '192.0.2.1'],
    ['00000000000000000000000000000001', '::1'],
    ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['20010db8000100020003000400050006', '2001:db8:1:2:3:4:5:6'],
    ['20010db8000000020003000400050006', '2001:db8:0:2:3:4:5:6'],
    ['', ''],
  ])('of %s is %s', (hex, text) => {
    expect(addressText(Buffer.from(hex, 'hex'))).toBe(text)
  })

  it('is IPv4 where IPv4 came in over an IPv6 socket', () => {
    expect(plainAddress('::ffff:192.0.2.1')).toBe('192.0.2.1')
    expect(plainAddress('::ffff:c000:201')).toBe('::ffff:c000:201')
    expect(plainAddress('::1')).toBe('::1')
  })
})
