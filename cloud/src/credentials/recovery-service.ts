import { ProblemError } from '@ares/protocol';
import { writeAudit } from '../audit/audit-log.ts';
import { revokeCertificates } from '../pki/certificate-repository.ts';
import { endSession } from '../pki/end-session.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import type { RandomBytes } from '../ports/random.ts';
import { recordSecurityEvent } from '../security/security-events.ts';
import { drawNonce, NONCE_LIFETIME_MS } from './challenges.ts';
import { activeAssignment, dropSecret, lockDevice } from './repository.ts';

interface By {
  readonly deviceUuid: string;
  readonly actorUserId: number;
  /** The assignment that gave the right; when another one runs meanwhile, nothing is done. */
  readonly assignmentId?: number | null;
  readonly source?: string;
}

/** The owner's two steps when a device or its card may be in wrong hands. */
export interface RecoveryService {
  /**
   * Ends certificate, secret and session at once; the device then needs a recovery token.
   * @throws {ProblemError} NOT_FOUND, CONFLICT (it has no owner)
   */
  revoke(by: By & { readonly reason?: string | undefined }): Promise<void>;
  /**
   * A token for one recovery, for ten minutes; older ones are void. Stored only as its SHA-256.
   * @throws {ProblemError} NOT_FOUND, CONFLICT (it does not need recovery)
   */
  token(
    by: By,
  ): Promise<{ readonly token: string; readonly expiresAt: string; readonly deviceApiUrl: string }>;
}

export function createRecoveryService(options: {
  readonly database: CloudDatabase;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly config: { readonly deviceApiUrl: string };
}): RecoveryService {
  const { database, clock, random, config } = options;
  return {
    async revoke({ deviceUuid, actorUserId, assignmentId, source, reason }) {
      const at = new Date(clock.now());
      await database.db.transaction().execute(async (trx) => {
        const { device, assignment } = await lockOwned(trx, deviceUuid, assignmentId);
        if (assignment === undefined) {
          throw new ProblemError('CONFLICT', 'The device has no owner, so it has no credentials to revoke.');
        }
        await revokeCertificates(trx, { deviceId: device.id, reason: 'keyCompromise', at });
        await dropSecret(trx, assignment.id);
        await trx
          .updateTable('devices')
          .set(
            // A blocked one stays blocked, and needs recovery when it is let in again.
            device.life_cycle === 'BLOCKED'
              ? { life_cycle_before_block: 'RECOVERY_NEEDED' }
              : { life_cycle: 'RECOVERY_NEEDED' },
          )
          .where('id', '=', device.id)
          .execute();
        await recordSecurityEvent(trx, { deviceId: device.id, code: 'CREDENTIALS_REVOKED' });
        await writeAudit(trx, {
          actorUserId,
          action: 'certificate.revoke',
          objectType: 'device',
          objectId: deviceUuid,
          detail: { assignment: assignment.number, ...(reason !== undefined && { reason }) },
          ...(source !== undefined && { source }),
        });
        await endSession(database, trx, { deviceUuid, reason: 'revoked' });
      });
    },

    async token({ deviceUuid, actorUserId, assignmentId, source }) {
      const expiresAt = new Date(clock.now() + NONCE_LIFETIME_MS);
      const { nonce: token, hash } = drawNonce(random);
      await database.db.transaction().execute(async (trx) => {
        const { device } = await lockOwned(trx, deviceUuid, assignmentId);
        if (device.life_cycle !== 'RECOVERY_NEEDED') {
          throw new ProblemError(
            'CONFLICT',
            'This device does not need recovery: revoke its certificate first.',
          );
        }
        await trx.deleteFrom('recovery_tokens').where('device_id', '=', device.id).execute();
        await trx
          .insertInto('recovery_tokens')
          .values({ token_hash: hash, device_id: device.id, expires_at: expiresAt })
          .execute();
        await writeAudit(trx, {
          actorUserId,
          action: 'device.recovery-token',
          objectType: 'device',
          objectId: deviceUuid,
          ...(source !== undefined && { source }),
        });
      });
      return { token, expiresAt: expiresAt.toISOString(), deviceApiUrl: config.deviceApiUrl };
    },
  };
}

/** @throws {ProblemError} NOT_FOUND, also when the device has changed hands since the right was looked up */
async function lockOwned(trx: Queries, deviceUuid: string, allowed: number | null | undefined) {
  const device = await lockDevice(trx, deviceUuid);
  const assignment = device && (await activeAssignment(trx, device.id));
  const isSame = allowed === undefined || allowed === (assignment?.id ?? null);
  if (device === undefined || !isSame) {
    throw new ProblemError('NOT_FOUND', `You have no device ${deviceUuid}.`);
  }
  return { device, assignment };
}
