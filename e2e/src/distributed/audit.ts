import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DistributedServices, downloadHdfs } from '@headwater/testkit'
import { runHeadwater } from '../headwater-process.ts'
import { judgeRound, type RoundResult } from '../round-result.ts'
import type { Visitors } from '../visitors.ts'
import type { Tenant } from './tenant.ts'

/** Holds what was sent against the archive as HDFS has it, and the archive against the counters in Redis. */
export async function audit(services: DistributedServices, tenant: Tenant, visitors: Visitors): Promise<RoundResult> {
  const dir = await mkdtemp(join(tmpdir(), 'headwater-audit-'))
  try {
    await downloadHdfs(services.hdfs.nameNodeUrl, tenant.root, join(dir, 'archive'))
    return await judgeRound({
      seed: 0,
      kills: 0,
      visitors,
      scenarioEdits: 0,
      query: async sql => JSON.parse(await runHeadwater(dir, {}, ['query', '--json', sql])) as unknown[],
      counters: JSON.parse(await runHeadwater(dir, tenant.settings, ['stats', '--json', '--all-versions'])),
    })
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
