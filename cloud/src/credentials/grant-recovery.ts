import { timingSafeEqual } from 'node:crypto';
import { ProblemError } from '@ares/protocol';
import { writeAudit } from '../audit/audit-log.ts';
import { revokeCertificates } from '../pki/certificate-repository.ts';
import { type Begin, keyInUse, refuse } from './begin-context.ts';
import { hashNonce } from './challenges.ts';
import * as repository from './repository.ts';
import type { AssignmentRow } from './types.ts';

/** Wrong tokens for one device in ten minutes, after which it is asked to slow down. */
const RECOVERY_TRIES = 5;
const RECOVERY_WINDOW_MS = 600_000;

/**
 * Grant `recovery`: the owner's one-time token lets a new identity key take the place of the old one, which is
 * dead from then on. The limit on wrong tokens refuses wrong ones only: 256 bits cannot be guessed, and a limit
 * that stopped the right one would let anybody who knows the UUID keep the owner out.
 * @throws {ProblemError} TOKEN_INVALID, TOO_MANY_REQUESTS, CONFLICT, KEY_IN_USE
 */
export async function recoveryGrant(context: Begin): Promise<AssignmentRow | { refused: ProblemError }> {
  const { trx, database, challenges, checked, device, nowMs } = context;
  const { nonce, recoveryToken } = checked.request;
  const at = new Date(nowMs);
  const hash = hashNonce(recoveryToken!);
  const tokens = await trx
    .selectFrom('recovery_tokens')
    .select(['token_hash'])
    .where('device_id', '=', device.id)
    .where('used_at', 'is', null)
    .where('expires_at', '>', at)
    .execute();
  const token = tokens.find(({ token_hash }) => timingSafeEqual(token_hash, hash));
  if (token === undefined) throw await wrongToken(context);
  await challenges.use(trx, { nonce, deviceUuid: device.device_uuid, nowMs });
  if (device.life_cycle !== 'RECOVERY_NEEDED') {
    throw refuse('CONFLICT', 'This device does not need recovery.');
  }
  const { hash: newHash, spki } = checked.identityKey;
  if (await repository.isIdentityKey(trx, newHash)) throw keyInUse();
  if ((await repository.certificateOfKey(trx, newHash)) !== undefined) throw keyInUse();

  await trx
    .updateTable('recovery_tokens')
    .set({ used_at: at })
    .where('token_hash', '=', token.token_hash)
    .execute();
  const assignment = await repository.activeAssignment(trx, device.id);
  // The old hash goes to the retired keys by a trigger.
  await trx
    .updateTable('devices')
    .set({
      identity_key_hash: newHash,
      identity_key: spki,
      clone_seen_at: null,
      life_cycle: assignment === undefined ? 'RELEASED' : 'ACTIVE',
    })
    .where('id', '=', device.id)
    .execute();
  await revokeCertificates(trx, { deviceId: device.id, reason: 'keyCompromise', at });
  await writeAudit(trx, {
    actorUserId: assignment?.user_id ?? null,
    action: 'device.recover',
    objectType: 'device',
    objectId: device.device_uuid,
    detail: { identityKeyHash: newHash, replaced: device.identity_key_hash },
  });
  if (assignment === undefined) {
    await database.notify(trx, 'device', { deviceUuid: device.device_uuid });
    return { refused: refuse('ASSIGNMENT_ENDED', 'The device is recovered and has no owner: claim it.') };
  }
  await repository.dropSecret(trx, assignment.id);
  return assignment;
}

async function wrongToken({ trx, device, nowMs, find }: Begin): Promise<ProblemError> {
  const { count } = await trx
    .selectFrom('recovery_failures')
    .select((is) => is.fn.countAll<number>().as('count'))
    .where('device_id', '=', device.id)
    .where('at', '>', new Date(nowMs - RECOVERY_WINDOW_MS))
    .executeTakeFirstOrThrow();
  if (Number(count) >= RECOVERY_TRIES) {
    return new ProblemError('TOO_MANY_REQUESTS', 'Too many wrong recovery tokens for this device.', {
      retryAfterSeconds: RECOVERY_WINDOW_MS / 1_000,
    });
  }
  find({ event: { deviceId: device.id, code: 'RECOVERY_TOKEN_WRONG' }, alert: true, wrongToken: true });
  return refuse(
    'TOKEN_INVALID',
    'The recovery token is wrong, used, expired or for another device: the owner can make a new one.',
  );
}
