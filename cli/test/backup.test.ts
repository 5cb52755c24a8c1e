import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openArchive } from '@headwater/processor'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { diagnose } from '../src/commands/doctor.ts'
import { sendEvents, type TestFolder, testFolder, until } from './running-server.ts'

/** Holds the script after its first `cp`, the archive's, until there is a file `$BACKUP.go`. */
const WAITING_CP = 'cp() { command cp "$@"; : > "$BACKUP.copied"; until [ -e "$BACKUP.go" ]; do sleep 0.05; done; }\n'

const page = readFileSync(new URL('../../docs/guide/production.md', import.meta.url), 'utf8')

/** The commands of the page: the block of shell below a heading. */
function commandsOf(heading: string): string {
  const block = new RegExp(`^#+ ${heading}$[^]*?^\`\`\`sh$([^]*?)^\`\`\`$`, 'm').exec(page)?.[1]
  if (block === undefined) throw new Error(`docs/guide/production.md has no commands below "${heading}".`)
  return block
}

async function eventIds(dir: string): Promise<string[]> {
  const archive = await openArchive({ archiveDir: join(dir, 'archive') })
  try {
    const ids: string[] = []
    for await (const chunk of (await archive.query('SELECT event_id FROM event_log')).rows)
      ids.push(...chunk.map(([id]) => String(id)))
    return ids.sort()
  } finally {
    archive.close()
  }
}

/** Up to where the archive has said that it is done. */
function committedPosition(dir: string): number {
  const path = join(dir, 'state', 'positions', 'archive-event-log.json')
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).positions['0'] : 0
}

let folder: TestFolder
beforeAll(() => {
  folder = testFolder()
})
afterAll(() => folder.remove())

it('a running folder, copied and brought back as the page says, has every event once and passes the doctor', async () => {
  const backup = `${folder.dir}-backup`
  const restored = `${folder.dir}-restored`
  const running = await folder.start()
  await sendEvents(running, 'before', 60)
  await until(() => existsSync(join(folder.dir, 'archive', 'scenario_log')))

  let copying = true
  let during = 0
  const sending = (async () => {
    while (copying) await sendEvents(running, `during-${during++}`, 5)
  })()
  await until(() => during > 3)
  const copied = promisify(execFile)('sh', ['-euc', WAITING_CP + commandsOf('Backup')], {
    env: { ...process.env, DATA: folder.dir, BACKUP: backup },
  })
  await until(() => existsSync(`${backup}.copied`))
  // Between archive and state the server archives on, and notes that it has.
  const committed = committedPosition(folder.dir)
  await until(() => committedPosition(folder.dir) > committed)
  writeFileSync(`${backup}.go`, '')
  await copied
  copying = false
  await sending
  await running.stop()
  expect(readdirSync(backup).sort()).toEqual(['archive', 'dead-letter', 'log', 'state'])

  execFileSync('sh', ['-euc', commandsOf('Restore')], { env: { ...process.env, DATA: restored, BACKUP: backup } })
  const again = await folder.start(restored)
  // It goes on as ever.
  await sendEvents(again, 'after', 20)
  await until(async () => (await again.progress()).lagBytes === 0)
  await again.stop()

  const ids = await eventIds(restored)
  expect(new Set(ids).size).toBe(ids.length)
  const expected = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}-${i}`)
  for (const id of [...expected('before', 60), ...expected('during-0', 5), ...expected('after', 20)])
    expect(ids).toContain(id)
  const found = await diagnose(() => folder.load({ HEADWATER_DATA_DIR: restored }), true)
  expect(found.filter(({ verdict }) => verdict === 'fail')).toEqual([])
  expect(found.at(-1)?.message).toBe(`${ids.length} outcomes counted, ${ids.length} of them archived.`)
}, 60_000)
