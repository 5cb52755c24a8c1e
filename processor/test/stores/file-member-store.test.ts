import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { fileMemberStore } from '../../src/stores/file-member-store.ts'
import { CONTRACT_MEMBERS, testMemberStore } from '../contracts/member-store.ts'

const log = pino({ level: 'silent' })

async function fileWith(content: string | Uint8Array, name = 'members.csv'): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'hw-members-')), name)
  await writeFile(file, content)
  return file
}

async function make(content: string | Uint8Array) {
  const file = await fileWith(content)
  return { file, store: fileMemberStore({ file, pollMs: 10, log }) }
}

async function membersOf(content: string | Uint8Array, ids: string[]) {
  const { store } = await make(content)
  return Object.fromEntries([...(await store.get(ids))].map(([id, member]) => [id, { ...member }]))
}

const quoted = (value: string): string => `"${value.replaceAll('"', '""')}"`
const COLUMNS = ['age', 'gender', 'city'] as const
const csv = (lineEnd: string): string =>
  [
    'member_id,age,gender,city',
    ...Object.entries(CONTRACT_MEMBERS).map(([id, member]) =>
      [id, ...COLUMNS.map(column => (member[column] === undefined ? '' : quoted(member[column])))].join(','),
    ),
  ].join(lineEnd)

testMemberStore('fileMemberStore of CSV', { make: async () => (await make(csv('\n'))).store })
testMemberStore('fileMemberStore of CSV from Windows', {
  make: async () => (await make(`\ufeff${csv('\r\n')}\r\n`)).store,
})
testMemberStore('fileMemberStore of NDJSON', {
  make: async () =>
    (
      await make(
        Object.entries(CONTRACT_MEMBERS)
          .map(([memberId, member]) => JSON.stringify({ age: null, ...member, memberId }))
          .join('\n'),
      )
    ).store,
})

describe('fileMemberStore', () => {
  it('reads the example', async () => {
    const file = new URL('../../../examples/data/members.csv', import.meta.url).pathname
    const store = fileMemberStore({ file, log })
    const found = await store.get(['123456', '100013'])
    expect({ ...found.get('123456') }).toEqual({ age: '34', gender: 'MALE', city: 'Seoul' })
    expect({ ...found.get('100013') }).toEqual({ gender: 'FEMALE', city: 'Busan' })
    expect(store.size()).toBe(20)
  })

  it('takes the id from member_id or memberId wherever it stands, else from the first column', async () => {
    expect(await membersOf('age,memberId\n20,a\n', ['a'])).toEqual({ a: { age: '20' } })
    expect(await membersOf('age,member_id\n20,a\n', ['a'])).toEqual({ a: { age: '20' } })
    expect(await membersOf('user,age\na,20\n', ['a'])).toEqual({ a: { age: '20' } })
  })

  it('takes numbers and booleans of NDJSON as their text', async () => {
    expect(await membersOf('{"member_id":123456,"age":34,"vip":true,"x":null}\n\n', ['123456'])).toEqual({
      '123456': { age: '34', vip: 'true' },
    })
  })

  it('lets no column name reach anything but its own value', async () => {
    const { store } = await make('member_id,__proto__,constructor,toString,1\na,p,c,t,one\n')
    const member = (await store.get(['a'])).get('a')
    const read = (name: string) => member?.[name]
    expect(['__proto__', 'constructor', 'toString', '1'].map(read)).toEqual(['p', 'c', 't', 'one'])
    expect(read('hasOwnProperty')).toBeUndefined()
    expect(Object.getPrototypeOf(Object.getPrototypeOf(member))).toBeNull()
  })

  it('gives back any text that stands in quotes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), { maxLength: 10 }),
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 50 }),
        async (ids, value) => {
          const rows = ids.map(id => `${quoted(id)},${quoted(value)}`)
          const found = await membersOf(`member_id,note\n${rows.join('\n')}`, ids)
          expect(found).toEqual(Object.fromEntries(ids.map(id => [id, { note: value }])))
        },
      ),
      { numRuns: 50 },
    )
  })

  it.each([
    ['a line with too few values', 'member_id,age\na,1\nb\n', 'members.csv:3: A line must have 2 values', '"b"'],
    ['a member twice', 'member_id,age\na,1\nb,2\na,3\n', 'members.csv:4: A member must stand once', '"a"'],
    ['a member without an id', 'member_id,age\n,1\n', "members.csv:2: A member's id", '""'],
    ['a column twice', 'member_id,age,age\n', 'members.csv:1: A column must stand once', '"age"'],
    ['a column without a name', 'member_id,,age\n', "members.csv:1: A column's name", '""'],
    ['a quote that is not closed', 'member_id,age\na,1\nb,"2\n', 'members.csv:', 'uote'],
    ['a quote in the middle', 'member_id,age\na,1\nb,2"3"\n', 'members.csv:3', 'uote'],
    ['an empty file', '', 'members.csv:1: A CSV file must begin with a header', ''],
    ['a value that is too long', `member_id,age\na,${'9'.repeat(9_000)}\n`, 'members.csv:2: A value must have', '999'],
    ['a line that never ends', `member_id,age\n${'9'.repeat(600_000)}`, 'members.csv:', ''],
    ['another encoding', Buffer.from('member_id,city\na,Seoul\nb,\xbc\xad\n', 'latin1'), 'must be UTF-8', 'line'],
    ['half a character at the end', Buffer.from('member_id,city\na,\xec\x84', 'latin1'), 'must be UTF-8', 'line'],
    [
      'NDJSON that is no JSON',
      '{"member_id":"a"}\n{"member_id":}\n',
      'members.csv:2: A line must be a JSON object',
      'member_id',
    ],
    ['NDJSON without an id', '{"member_id":"a"}\n{"id":"b"}\n', 'members.csv:2: A member must have a member_id', '"b"'],
    ['NDJSON with an object in it', '{"member_id":"a","age":{"years":3}}', 'members.csv:1: age must be', 'years'],
    ['NDJSON that never ends', `{"member_id":"${'9'.repeat(600_000)}`, 'members.csv:1: A line has at most', '999'],
  ])('refuses %s, and says where and what it found', async (_what, content, message, found) => {
    const { store } = await make(content)
    const refused = expect(store.get(['a'])).rejects
    await refused.toMatchObject({ code: 'MEMBERS_INVALID', retryable: true })
    expect(store.fault()?.message).toContain(message)
    expect(store.fault()?.message).toContain(found)
  })

  it('asks to try again while there is no file', async () => {
    const { store, file } = await make('member_id\na\n')
    await rm(file)
    await expect(store.columns()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
    await writeFile(file, 'member_id\na\n')
    expect(await store.columns()).toEqual(new Set())
  })

  it('takes a new file as a whole, and keeps the last good one while the file is broken or gone', async () => {
    const { store, file } = await make('member_id,age\na,1\n')
    expect((await store.get(['a'])).get('a')?.age).toBe('1')
    const columns = await store.columns()
    expect(await store.columns()).toBe(columns)
    const stop = new AbortController()
    const waiting: (() => void)[] = []
    store.watch(() => waiting.shift()?.(), stop.signal)

    const changed = new Promise<void>(resolve => waiting.push(resolve))
    await writeFile(`${file}.new`, 'member_id,city\nb,Seoul\n')
    await rename(`${file}.new`, file)
    await changed
    expect([...(await store.get(['a', 'b'])).keys()]).toEqual(['b'])
    expect(await store.columns()).toEqual(new Set(['city']))

    await appendFile(file, 'c\n')
    await expect.poll(() => store.fault()?.message).toContain('members.csv:3')
    expect([...(await store.get(['b', 'c'])).keys()]).toEqual(['b'])

    await rm(file)
    await expect.poll(() => store.fault()?.code).toBe('STORE_UNAVAILABLE')
    expect(store.size()).toBe(1)

    const back = new Promise<void>(resolve => waiting.push(resolve))
    await writeFile(file, 'member_id,city\nb,Seoul\nc,Busan\n')
    await back
    expect(store.fault()).toBeUndefined()
    expect(store.size()).toBe(2)
    stop.abort()
  })

  it('reads a file of many pieces', async () => {
    const rows = Array.from(
      { length: 20_000 },
      (_, i) => `user-${i},${i % 90},${i % 2 === 0 ? 'MALE' : 'FEMALE'},도시 ${i % 50}`,
    )
    const { store } = await make(`member_id,age,gender,city\n${rows.join('\n')}\n`)
    expect({ ...(await store.get(['user-19999'])).get('user-19999') }).toEqual({
      age: '19',
      gender: 'FEMALE',
      city: '도시 49',
    })
    expect(store.size()).toBe(20_000)
  })
})
