import { describe, expect, it } from 'vitest'
import { type DataNodeRules, dataNodeAddress } from '../../src/webhdfs/data-node-address.ts'
import { NameNodes } from '../../src/webhdfs/name-nodes.ts'

const NAME_NODE = new URL('http://nn1:9870/webhdfs/v1')
const SECURE = new URL('https://nn1:9871/webhdfs/v1')

function addressOf(location: string, rules: DataNodeRules = {}, from = NAME_NODE): string {
  return dataNodeAddress(location, from, [from], rules).href
}

describe('dataNodeAddress', () => {
  it("follows to any host at a DataNode's own port, and to the NameNode itself", () => {
    for (const location of ['http://dn7.example:9864/webhdfs/v1/x?op=CREATE&a=%2B', 'http://nn1:9870/webhdfs/v1/x'])
      expect(addressOf(location)).toBe(location)
    expect(addressOf('https://dn7:9865/x', {}, SECURE)).toBe('https://dn7:9865/x')
  })

  it('refuses other ports, other protocols and passwords', () => {
    for (const location of [
      'http://169.254.169.254/latest/meta-data',
      'http://dn7:6379/x',
      'ftp://dn7:9864/x',
      'http://user:secret@dn7:9864/x',
      'http://[::1]:22/x',
    ])
      expect(() => addressOf(location)).toThrow(/a redirect must lead to/)
    expect(() => addressOf('http://dn7:9864/x', {}, SECURE)).toThrow(/must lead to https/)
  })

  it('never repeats a password in its message', () => {
    expect(() => addressOf('http://user:secret@dn7:9864/x')).toThrow(expect.not.stringContaining('secret'))
    expect(() => new NameNodes({ nameNodes: ['http://user:secret@nn1:9870'], user: 'x', nameNodeMs: 1 })).toThrow(
      /^A NameNode is named as http:\/\/host:9870 or https:\/\/host:9871\. Found: nn1:9870\.$/,
    )
  })

  it('keeps to the hosts that are allowed, case aside, when some are named', () => {
    const rules = { allow: ['*.dn.example:9864', 'Special:1022'] }
    expect(addressOf('http://a.dn.example:9864/x', rules)).toBe('http://a.dn.example:9864/x')
    expect(addressOf('http://SPECIAL:1022/x', rules)).toBe('http://special:1022/x')
    for (const location of ['http://dn.example.evil:9864/x', 'http://evildn.example:9864/x', 'http://special:9864/x'])
      expect(() => addressOf(location, rules)).toThrow(/Found: /)
  })

  it('goes where a host is mapped to, with its own port unless another is named', () => {
    const rules = { hosts: { dn1: '10.0.0.7', 'dn2:9864': 'localhost:19864' }, allow: [] }
    expect(addressOf('http://dn1:9864/x?a=1', rules)).toBe('http://10.0.0.7:9864/x?a=1')
    expect(addressOf('http://dn2:9864/x', rules)).toBe('http://localhost:19864/x')
    expect(() => addressOf('http://dn2:9999/x', rules)).toThrow(/Found: dn2:9999/)
  })
})

describe('NameNodes', () => {
  it('takes a NameNode with or without the path of WebHDFS, and that of a gateway', () => {
    const nameNodes = [
      'http://nn1:9870',
      'http://nn1:9870/',
      'http://nn1:9870/webhdfs/v1/',
      'https://gate/gateway/default',
    ]
    expect(new NameNodes({ nameNodes, user: 'x', nameNodeMs: 1 }).urls.map(String)).toEqual([
      'http://nn1:9870/webhdfs/v1',
      'http://nn1:9870/webhdfs/v1',
      'http://nn1:9870/webhdfs/v1',
      'https://gate/gateway/default/webhdfs/v1',
    ])
    expect(() => new NameNodes({ nameNodes: [], user: 'x', nameNodeMs: 1 })).toThrow(/At least one NameNode/)
  })
})
