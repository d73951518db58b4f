import type { Queries } from '../ports/database.ts';
import type { AssignmentRow, CertificateRow, DeviceRow } from './types.ts';

/** Locks the device: everything about its ownership and certificates happens one after another. */
export function lockDevice(trx: Queries, deviceUuid: string): Promise<DeviceRow | undefined> {
  return trx
    .selectFrom('devices')
    .select([
      'id',
      'device_uuid',
      'cpu_serial',
      'identity_key_hash',
      'first_use_until',
      'clone_seen_at',
      'life_cycle',
    ])
    .where('device_uuid', '=', deviceUuid)
    .forUpdate()
    .executeTakeFirst();
}

export function activeAssignment(queries: Queries, deviceId: number): Promise<AssignmentRow | undefined> {
  return queries
    .selectFrom('assignments')
    .select(['id', 'number', 'user_id'])
    .where('device_id', '=', deviceId)
    .where('ended_at', 'is', null)
    .executeTakeFirst();
}

export function certificateOfKey(queries: Queries, spkiHash: string): Promise<CertificateRow | undefined> {
  return queries
    .selectFrom('certificates')
    .select(['id', 'device_id', 'assignment_id', 'status', 'not_after', 'request_hash', 'claim_id'])
    .where('spki_hash', '=', spkiHash)
    .executeTakeFirst();
}

/** Whether the key is, or ever was, the identity key of any device. */
export async function isIdentityKey(queries: Queries, spkiHash: string): Promise<boolean> {
  const found = await queries
    .selectFrom('devices')
    .select('identity_key_hash as hash')
    .where('identity_key_hash', '=', spkiHash)
    .unionAll(
      queries
        .selectFrom('retired_identity_keys')
        .select('spki_hash as hash')
        .where('spki_hash', '=', spkiHash),
    )
    .executeTakeFirst();
  return found !== undefined;
}

export async function countCertificates(queries: Queries, deviceId: number, since: Date): Promise<number> {
  const { count } = await queries
    .selectFrom('certificates')
    .select((is) => is.fn.countAll<number>().as('count'))
    .where('device_id', '=', deviceId)
    .where('created_at', '>', since)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** The row that keeps the place of a certificate before it is signed. An older one in the making gives way. */
export async function insertPending(
  trx: Queries,
  row: {
    deviceId: number;
    assignmentId: number;
    serial: string;
    spkiHash: string;
    requestHash: string;
    claimId: string | null;
    at: Date;
  },
): Promise<number> {
  await trx
    .updateTable('certificates')
    .set({ status: 'REVOKED', revoked_at: row.at, revocation_reason: 'superseded' })
    .where('device_id', '=', row.deviceId)
    .where('status', '=', 'PENDING')
    .execute();
  const { id } = await trx
    .insertInto('certificates')
    .values({
      device_id: row.deviceId,
      assignment_id: row.assignmentId,
      serial: row.serial,
      spki_hash: row.spkiHash,
      request_hash: row.requestHash,
      claim_id: row.claimId,
      status: 'PENDING',
      created_at: row.at,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

/** Keeps the key itself, so that standing and receipt can be verified without it being sent. */
export async function keepIdentityKey(trx: Queries, deviceId: number, spki: Buffer): Promise<void> {
  await trx
    .updateTable('devices')
    .set({ identity_key: spki })
    .where('id', '=', deviceId)
    .where('identity_key', 'is', null)
    .execute();
}

/** The secret is gone for good, and its number is never given again. */
export async function dropSecret(trx: Queries, assignmentId: number): Promise<void> {
  await trx.deleteFrom('assignment_secrets').where('assignment_id', '=', assignmentId).execute();
  await trx
    .updateTable('assignments')
    .set((is) => ({ secret_n: is('secret_n', '+', 1) }))
    .where('id', '=', assignmentId)
    .execute();
}

/** What signing and answering need to know of a certificate row. */
export function certificateWithContext(queries: Queries, certificateId: number) {
  return queries
    .selectFrom('certificates as c')
    .innerJoin('assignments as a', 'a.id', 'c.assignment_id')
    .innerJoin('devices as d', 'd.id', 'c.device_id')
    .innerJoin('hardware_variants as h', 'h.id', 'd.hardware_variant_id')
    .innerJoin('users as u', 'u.id', 'a.user_id')
    .leftJoin('assignment_secrets as s', (join) =>
      join.onRef('s.assignment_id', '=', 'a.id').onRef('s.n', '=', 'a.secret_n'),
    )
    .select([
      'c.id',
      'c.serial',
      'c.status',
      'c.chain_pem',
      'c.not_before',
      'c.not_after',
      'c.device_id',
      'c.assignment_id',
      'd.device_uuid',
      'd.life_cycle',
      'a.number',
      'a.secret_n',
      'a.ended_at',
      's.sealed',
      'u.email',
      'h.hardware_version',
      'h.hardware_variant',
    ])
    .where('c.id', '=', certificateId)
    .executeTakeFirstOrThrow();
}
export type CertificateContext = Awaited<ReturnType<typeof certificateWithContext>>;

/** Highest boot counter that any assignment of the device has seen. */
export async function bootFloor(queries: Queries, deviceId: number): Promise<number> {
  const { floor } = await queries
    .selectFrom('device_boots')
    .select((is) => is.fn.max('boot_count').as('floor'))
    .where('device_id', '=', deviceId)
    .executeTakeFirstOrThrow();
  return floor ?? 0;
}
