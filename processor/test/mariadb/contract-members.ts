import type { Mariadb } from '../../src/mariadb/connect-mariadb.ts'
import { CONTRACT_MEMBERS } from '../contracts/member-store.ts'

/** Fills the migrated `member` table with what the contract suite asks for. */
export async function contractMembers(db: Mariadb): Promise<void> {
  await db.run(async session => {
    await session.query('ALTER TABLE member ADD COLUMN city TEXT')
    for (const [id, { age, gender, city }] of Object.entries(CONTRACT_MEMBERS)) {
      const values = [id, age ?? null, gender ?? null, city ?? null]
      await session.execute('INSERT INTO member (member_id, age, gender, city) VALUES (?, ?, ?, ?)', values)
    }
  })
}
