import { mkdir, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

/** Moves what a broken round left behind to where no end of a run removes it, and says where. */
export async function keepForALook(dir: string, more = ''): Promise<void> {
  // Set by vitest's set-up, which gives a run a temporary folder of its own.
  const kept = process.env.HEADWATER_KEPT ?? tmpdir()
  await mkdir(kept, { recursive: true })
  const to = join(kept, basename(dir))
  if (to !== dir) await rename(dir, to)
  console.error(`kept for a look: ${to}${more}`)
}
