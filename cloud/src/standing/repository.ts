import type { Queries } from '../ports/database.ts';

export function deviceByUuid(queries: Queries, deviceUuid: string) {
  return queries
    .selectFrom('devices')
    .select(['id', 'device_uuid', 'life_cycle', 'identity_key'])
    .where('device_uuid', '=', deviceUuid)
    .executeTakeFirst();
}

/** The assignment that runs, or else the last one that ended. */
export function latestAssignment(queries: Queries, deviceId: number) {
  return queries
    .selectFrom('assignments')
    .select(['id', 'ended_at', 'reset_order', 'reset_receipt_at'])
    .where('device_id', '=', deviceId)
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** Certificates of an assignment that were stored, newest first. */
export function storedCertificates(queries: Queries, assignmentId: number) {
  return queries
    .selectFrom('certificates')
    .select(['status', 'not_after', 'used_at', 'superseded_until'])
    .where('assignment_id', '=', assignmentId)
    .where('status', 'in', ['ACTIVE', 'SUPERSEDED'])
    .orderBy('id', 'desc')
    .limit(10)
    .execute();
}
