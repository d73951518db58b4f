import type { RevocationReason, RevokedCertificate } from '../ports/certificate-authority.ts';
import type { Queries } from '../ports/database.ts';

/**
 * Ends the certificates of a device for good, also one that is being signed just now: what the authority still
 * answers is then thrown away.
 * @returns how many there were
 */
export async function revokeCertificates(
  queries: Queries,
  options: { deviceId: number; assignmentId?: number; reason: RevocationReason; at: Date },
): Promise<number> {
  const { deviceId, assignmentId, reason, at } = options;
  const rows = await queries
    .updateTable('certificates')
    .set({ status: 'REVOKED', revoked_at: at, revocation_reason: reason })
    .where('device_id', '=', deviceId)
    .$if(assignmentId !== undefined, (query) => query.where('assignment_id', '=', assignmentId!))
    .where('status', '<>', 'REVOKED')
    .returning('id')
    .execute();
  return rows.length;
}

/**
 * What a revocation list has to name: revoked, or superseded and past its overlap, or of a device that is blocked, as
 * long as it is; never what has expired.
 */
export async function listRevoked(queries: Queries, now: Date): Promise<readonly RevokedCertificate[]> {
  const rows = await queries
    .selectFrom('certificates as c')
    .innerJoin('devices as d', 'd.id', 'c.device_id')
    .select(['c.serial', 'c.status', 'c.revoked_at', 'c.superseded_until', 'c.revocation_reason'])
    .where('c.not_after', '>', now)
    .where((is) =>
      is.or([
        is('c.status', '=', 'REVOKED'),
        is.and([is('c.status', '=', 'SUPERSEDED'), is('c.superseded_until', '<=', now)]),
        is('d.life_cycle', '=', 'BLOCKED'),
      ]),
    )
    .orderBy('c.serial')
    .execute();
  return rows.map(({ serial, status, revoked_at, superseded_until, revocation_reason }) => {
    if (status === 'REVOKED') return { serial, at: revoked_at ?? now, reason: asReason(revocation_reason) };
    if (superseded_until !== null && superseded_until <= now) {
      return { serial, at: superseded_until, reason: 'superseded' };
    }
    return { serial, at: now, reason: 'privilegeWithdrawn' };
  });
}

/** Which of these certificates have not expired, as far as the table knows them. */
export async function unexpired(
  queries: Queries,
  serials: readonly string[],
  now: Date,
): Promise<ReadonlySet<string>> {
  if (serials.length === 0) return new Set();
  const rows = await queries
    .selectFrom('certificates')
    .select('serial')
    .where('serial', 'in', serials)
    .where('not_after', '>', now)
    .execute();
  return new Set(rows.map(({ serial }) => serial));
}

const REASONS: readonly RevocationReason[] = [
  'keyCompromise',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
];

function asReason(text: string | null): RevocationReason {
  return REASONS.find((reason) => reason === text) ?? 'unspecified';
}
