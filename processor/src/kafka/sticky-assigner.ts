import { AssignerProtocol, type PartitionAssigner } from 'kafkajs'
import type { PartitionId } from '../ports.ts'

const { MemberMetadata, MemberAssignment } = AssignerProtocol

/** What a member tells the others when it joins: JSON in the user data of its subscription. */
interface Claim {
  /** Stable over restarts, so that partitions are dealt out alike. */
  name: string
  /** Partition → Unix ms since when the member has held it. */
  owned: Record<string, number>
}

/** What the assigner asks of the member it runs in. */
export interface StickyMember {
  name: string
  owned(): ReadonlyMap<PartitionId, number>
}

/**
 * Deals partitions out evenly and moves none that need not move: kafkajs takes all partitions from all members at every
 * join, and a window or an open file would have to be made anew each time. kafkajs does not remember assignments, so every
 * member says what it holds.
 *
 * A partition that two claim (one slept through a rebalance) stays with the later claim. A member that holds too many gives
 * away those it got last: they are the ones of a member that was away and comes back.
 */
export function stickyAssigner(member: StickyMember): PartitionAssigner {
  return ({ cluster }) => ({
    name: 'HeadwaterSticky',
    version: 1,
    protocol({ topics }) {
      const claim: Claim = { name: member.name, owned: Object.fromEntries(member.owned()) }
      const userData = Buffer.from(JSON.stringify(claim))
      return { name: this.name, metadata: MemberMetadata.encode({ version: this.version, topics, userData }) }
    },
    async assign({ members, topics }) {
      const [topic = ''] = topics
      const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)
      const claims = members.map(({ memberId, memberMetadata }) => ({
        memberId,
        ...readClaim(memberId, memberMetadata),
      }))
      const dealt = deal(partitions, claims)
      return members.map(({ memberId }) => {
        const assignment = { [topic]: dealt.get(memberId) ?? [] }
        const userData = Buffer.alloc(0)
        return { memberId, memberAssignment: MemberAssignment.encode({ version: 1, assignment, userData }) }
      })
    },
  })
}

export interface MemberClaim extends Claim {
  memberId: string
}

/** Who gets what, by member id. */
export function deal(
  partitions: readonly PartitionId[],
  claims: readonly MemberClaim[],
): ReadonlyMap<string, PartitionId[]> {
  const members = [...claims].sort((a, b) => compare(a.name, b.name) || compare(a.memberId, b.memberId))
  const dealt = new Map(members.map(({ memberId }) => [memberId, [] as PartitionId[]]))
  const least = Math.floor(partitions.length / members.length)
  let extra = partitions.length % members.length
  const give = (memberId: string, partition: PartitionId): boolean => {
    const held = dealt.get(memberId)!
    if (held.length > least || (held.length === least && extra === 0)) return false
    if (held.length === least) extra--
    held.push(partition)
    return true
  }
  const held = partitions.flatMap(partition => {
    const since = (claim: MemberClaim): number => claim.owned[partition] ?? Number.NEGATIVE_INFINITY
    const owner = members
      .filter(claim => since(claim) > Number.NEGATIVE_INFINITY)
      .sort((a, b) => since(b) - since(a))[0]
    return owner === undefined ? [] : [{ partition, memberId: owner.memberId, since: since(owner) }]
  })
  held.sort((a, b) => a.since - b.since || a.partition - b.partition)
  const kept = new Set(held.filter(({ memberId, partition }) => give(memberId, partition)).map(it => it.partition))
  for (const partition of [...partitions].sort((a, b) => a - b)) {
    if (kept.has(partition)) continue
    const byLoad = [...dealt].sort(([, a], [, b]) => a.length - b.length)
    byLoad.some(([memberId]) => give(memberId, partition))
  }
  return dealt
}

function readClaim(memberId: string, metadata: Buffer): Claim {
  try {
    const text = MemberMetadata.decode(metadata)?.userData.toString() ?? ''
    const { name, owned } = JSON.parse(text) as Partial<Claim>
    if (typeof name === 'string' && typeof owned === 'object' && owned !== null) return { name, owned }
  } catch {
    // A member of another version, which says nothing or something else.
  }
  return { name: memberId, owned: {} }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
