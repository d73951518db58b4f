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

/** What a revocation list has to name: revoked, or superseded and past its overlap; never what has expired. */
export async function listRevoked(queries: Queries, now: Date): Promise<readonly RevokedCertificate[]> {
  const rows = await queries
    .selectFrom('certificates')
    .select(['serial', 'status', 'revoked_at', 'superseded_until', 'revocation_reason'])
    .where('not_after', '>', now)
    .where((is) =>
      is.or([
        is('status', '=', 'REVOKED'),
        is.and([is('status', '=', 'SUPERSEDED'), is('superseded_until', '<=', now)]),
      ]),
    )
    .orderBy('serial')
    .execute();
  return rows.map((row) =>
    row.status === 'REVOKED'
      ? { serial: row.serial, at: row.revoked_at ?? now, reason: asReason(row.revocation_reason) }
      : { serial: row.serial, at: row.superseded_until ?? now, reason: 'superseded' },
  );
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
