import type { Queries } from '../ports/database.ts';

/** Devices with this UUID or this board: none, one, or two that do not belong together. */
export function findDevices(queries: Queries, cpuSerial: string, deviceUuid: string) {
  return queries
    .selectFrom('devices as d')
    .leftJoin('assignments as a', (join) =>
      join.onRef('a.device_id', '=', 'd.id').on('a.ended_at', 'is', null),
    )
    .select(['d.id', 'd.device_uuid', 'd.cpu_serial', 'd.identity_key_hash', 'd.first_use_until'])
    .select(['d.life_cycle', 'a.user_id as owner_id'])
    .where((is) => is.or([is('d.cpu_serial', '=', cpuSerial), is('d.device_uuid', '=', deviceUuid)]))
    .execute();
}

/**
 * Counts a try of the user, in a transaction of its own so that a refused one counts too.
 * @returns tries since `since`, this one not included; at `limit` it is not counted any more
 */
export async function countTry(
  trx: Queries,
  options: { userId: number; at: Date; since: Date; limit: number },
): Promise<number> {
  const { userId, at, since, limit } = options;
  // Tries of one user are counted one after another, whichever replica they came to.
  await trx.selectFrom('users').select('id').where('id', '=', userId).forNoKeyUpdate().execute();
  const { count } = await trx
    .selectFrom('claim_attempts')
    .select((is) => is.fn.countAll<number>().as('count'))
    .where('user_id', '=', userId)
    .where('at', '>', since)
    .executeTakeFirstOrThrow();
  if (Number(count) < limit) await trx.insertInto('claim_attempts').values({ user_id: userId, at }).execute();
  return Number(count);
}

export async function insertClaim(
  trx: Queries,
  claim: {
    id: string;
    deviceId: number;
    userId: number;
    askedBy: number | null;
    nonceHash: Buffer;
    identityKeyHash: string;
    at: Date;
    expiresAt: Date;
  },
): Promise<void> {
  await trx
    .insertInto('claims')
    .values({
      id: claim.id,
      device_id: claim.deviceId,
      user_id: claim.userId,
      asked_by: claim.askedBy,
      nonce_hash: claim.nonceHash,
      identity_key_hash: claim.identityKeyHash,
      created_at: claim.at,
      expires_at: claim.expiresAt,
    })
    .execute();
}
