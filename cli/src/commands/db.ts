import { migrate } from '@headwater/processor/distributed'
import { requiredMariadb } from '../distributed-parts.ts'
import type { LoadedConfig } from '../load-config.ts'

/** `headwater db migrate` */
export async function migrateDatabase({ config }: LoadedConfig): Promise<void> {
  const db = requiredMariadb(config)
  try {
    const { applied, before } = await migrate(db)
    for (const name of applied) console.log(`applied ${name}`)
    console.log(
      applied.length === 0
        ? `${db.address} is up to date: ${before} migrations.`
        : `${db.address} is up to date now: ${before + applied.length} migrations.`,
    )
  } finally {
    await db.close()
  }
}
