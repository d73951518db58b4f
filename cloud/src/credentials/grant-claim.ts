import { timingSafeEqual } from 'node:crypto';
import { writeAudit } from '../audit/audit-log.ts';
import { revokeCertificates } from '../pki/certificate-repository.ts';
import { endSession } from '../pki/end-session.ts';
import { endAssignment } from '../release/end-assignment.ts';
import { assertNotInRecovery, assertPinned, type Begin, keyInUse, refuse } from './begin-context.ts';
import { hashNonce } from './challenges.ts';
import * as repository from './repository.ts';
import type { AssignmentRow } from './types.ts';

/**
 * Grant `claim`: the device proves its identity key, and the user whose claim it holds becomes its owner.
 * @throws {ProblemError} NONCE_UNKNOWN, CLAIM_USED, CLAIM_EXPIRED, IDENTITY_MISMATCH, IDENTITY_UNKNOWN,
 * RECOVERY_NEEDED, DEVICE_OWNED
 */
export async function claimGrant(context: Begin): Promise<AssignmentRow> {
  const { trx, database, checked, device, nowMs, find } = context;
  const { claimId, nonce } = checked.request;
  const at = new Date(nowMs);
  const claim = await trx
    .selectFrom('claims as c')
    .innerJoin('users as u', 'u.id', 'c.user_id')
    .select(['c.id', 'c.user_id', 'c.nonce_hash', 'c.identity_key_hash', 'c.expires_at', 'c.used_at'])
    .select('u.suspended_at')
    .where('c.id', '=', claimId!)
    .where('c.device_id', '=', device.id)
    .executeTakeFirst();
  if (claim === undefined || !timingSafeEqual(claim.nonce_hash, hashNonce(nonce))) {
    throw refuse('NONCE_UNKNOWN', 'There is no such claim for this device: claim it again in the app.');
  }
  if (claim.used_at !== null) {
    throw refuse('CLAIM_USED', 'This claim was completed already: claim the device again in the app.');
  }
  if (claim.expires_at <= at || claim.suspended_at !== null) {
    throw refuse('CLAIM_EXPIRED', 'A claim is valid for ten minutes: claim the device again in the app.');
  }
  if (claim.identity_key_hash !== checked.identityKey.hash) {
    find({ event: { deviceId: device.id, code: 'IDENTITY_MISMATCH', detail: { claimId: claim.id } } });
    throw refuse('IDENTITY_MISMATCH', 'The app read another identity key from the device that it claimed.');
  }
  const firstUse = device.identity_key_hash === null && (device.first_use_until?.getTime() ?? 0) > nowMs;
  if (!firstUse) assertPinned(context);

  const previous = await repository.activeAssignment(trx, device.id);
  if (previous !== undefined && previous.user_id !== claim.user_id) {
    find({
      event: { deviceId: device.id, code: 'CLAIM_OF_OWNED_DEVICE', detail: { userId: claim.user_id } },
      alert: true,
    });
    throw refuse('DEVICE_OWNED', 'The device has an owner, who must unlink it first.');
  }
  assertNotInRecovery(device);

  await trx.updateTable('claims').set({ used_at: at }).where('id', '=', claim.id).execute();
  if (firstUse) await pinFirstUse(context, claim.user_id);
  const number = (await lastNumber(context)) + 1;
  if (previous !== undefined) {
    const commands = await endAssignment(trx, { assignmentId: previous.id, at });
    for (const commandId of commands) await database.notify(trx, 'command', { commandId });
  }
  // Also what a released device may have kept for its last seconds.
  await revokeCertificates(trx, { deviceId: device.id, reason: 'cessationOfOperation', at });
  await trx
    .updateTable('assignments')
    .set({ revoke_due_at: null })
    .where('device_id', '=', device.id)
    .where('revoke_due_at', 'is not', null)
    .execute();
  await endSession(database, trx, { deviceUuid: device.device_uuid, reason: 'claimed again' });
  const assignment = await trx
    .insertInto('assignments')
    .values({ device_id: device.id, number, user_id: claim.user_id, started_at: at })
    .returning(['id', 'number', 'user_id'])
    .executeTakeFirstOrThrow();
  if (previous !== undefined) await keepWiring(context, previous.id, assignment.id);
  await trx
    .updateTable('devices')
    // Quarantine is lifted by an administrator, not by a new claim.
    .set({ life_cycle: device.life_cycle === 'QUARANTINED' ? 'QUARANTINED' : 'ACTIVE' })
    .where('id', '=', device.id)
    .execute();
  await writeAudit(trx, {
    actorUserId: claim.user_id,
    action: 'device.claim',
    objectType: 'device',
    objectId: device.device_uuid,
    detail: { claimId: claim.id, assignment: number, again: previous !== undefined },
  });
  return assignment;
}

async function pinFirstUse({ trx, device, checked }: Begin, userId: number): Promise<void> {
  const { hash } = checked.identityKey;
  if (await repository.isIdentityKey(trx, hash)) throw keyInUse();
  if ((await repository.certificateOfKey(trx, hash)) !== undefined) throw keyInUse();
  await trx
    .updateTable('devices')
    .set({ identity_key_hash: hash, first_use_until: null })
    .where('id', '=', device.id)
    .execute();
  await writeAudit(trx, {
    actorUserId: userId,
    action: 'device.pin-first-use',
    objectType: 'device',
    objectId: device.device_uuid,
    detail: { identityKeyHash: hash },
  });
}

async function lastNumber({ trx, device }: Begin): Promise<number> {
  const { last } = await trx
    .selectFrom('assignments')
    .select((is) => is.fn.max('number').as('last'))
    .where('device_id', '=', device.id)
    .executeTakeFirstOrThrow();
  return last ?? 0;
}

/** The same owner claims again: what is wired to the board stays attached, under the same ids, and shared as it was. */
async function keepWiring({ trx }: Begin, from: number, to: number): Promise<void> {
  await trx.updateTable('shares').set({ assignment_id: to }).where('assignment_id', '=', from).execute();
  await trx
    .updateTable('assignment_viewers')
    .set({ assignment_id: to })
    .where('assignment_id', '=', from)
    .execute();
  await trx
    .updateTable('attached_components')
    .set({ assignment_id: to })
    .where('assignment_id', '=', from)
    .execute();
}
