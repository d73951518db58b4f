import { ProblemError } from '@ares/protocol';
import { writeAudit } from '../audit/audit-log.ts';
import { drawNonce, NONCE_LIFETIME_MS } from '../credentials/challenges.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { RandomBytes } from '../ports/random.ts';
import { raiseAlert, recordSecurityEvent } from '../security/security-events.ts';
import * as repository from './repository.ts';
import type { ClaimRequest, ClaimsConfig, PendingClaim } from './types.ts';

const HOUR_MS = 3_600_000;

/**
 * A signed-in user asks to become a device's owner. This gives him nothing yet: any number of claims may be
 * pending for a device, and the first that the device itself completes wins.
 */
export interface ClaimsService {
  /**
   * @throws {ProblemError} NOT_FOUND, IDENTITY_UNKNOWN, IDENTITY_MISMATCH, DEVICE_OWNED, DEVICE_BLOCKED,
   * RECOVERY_NEEDED, TOO_MANY_REQUESTS
   */
  claim(
    request: ClaimRequest,
    by: {
      /** Who becomes the owner. */
      readonly userId: number;
      /** The administrator who asks in his place; the tries are counted for him then. */
      readonly asked?: { readonly byUserId: number; readonly forUserUuid: string };
      readonly source: string;
    },
  ): Promise<PendingClaim>;
}

export function createClaimsService(options: {
  readonly database: CloudDatabase;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly newUuid: () => string;
  readonly config: ClaimsConfig;
}): ClaimsService {
  const { database, clock, random, newUuid, config } = options;
  const { db } = database;

  async function assertQuota(userId: number, nowMs: number): Promise<void> {
    const at = new Date(nowMs);
    const since = new Date(nowMs - HOUR_MS);
    const limit = config.claimsPerHour;
    const tries = await db
      .transaction()
      .execute((trx) => repository.countTry(trx, { userId, at, since, limit }));
    if (tries < limit) return;
    throw new ProblemError('TOO_MANY_REQUESTS', `No more than ${limit} claims an hour: try again later.`, {
      retryAfterSeconds: HOUR_MS / 1_000 / limit,
    });
  }

  async function findDevice(request: ClaimRequest, userId: number, nowMs: number) {
    const { cpuSerial, deviceUuid, identityKeyHash } = request;
    const found = await repository.findDevices(db, cpuSerial, deviceUuid);
    const device = found.find((one) => one.device_uuid === deviceUuid) ?? found[0];
    if (device === undefined) {
      throw new ProblemError(
        'NOT_FOUND',
        'This device is not registered: an administrator has to do it first.',
      );
    }
    const refused = async (code: 'IDENTITY_MISMATCH' | 'DEVICE_OWNED', detail: string, event: string) => {
      const evidence = { userId, cpuSerial, deviceUuid };
      await db.transaction().execute(async (trx) => {
        await recordSecurityEvent(trx, { deviceId: device.id, code: event, detail: evidence });
        if (code !== 'DEVICE_OWNED') return;
        // The owner sees that somebody stands beside his device (CLM-10).
        await raiseAlert(trx, { kind: event, deviceId: device.id, detail: { userId }, nowMs });
        await database.notify(trx, 'device', { deviceUuid: device.device_uuid });
      });
      return new ProblemError(code, detail);
    };
    if (device.life_cycle === 'BLOCKED') {
      throw new ProblemError('DEVICE_BLOCKED', 'An administrator blocked this device.');
    }
    if (device.cpu_serial !== cpuSerial || device.device_uuid !== deviceUuid) {
      const why =
        'The serial and the UUID are not registered as one device: the card or the board was swapped.';
      throw await refused('IDENTITY_MISMATCH', why, 'IDENTITY_MISMATCH');
    }
    if (device.identity_key_hash === null && (device.first_use_until?.getTime() ?? 0) <= nowMs) {
      throw new ProblemError(
        'IDENTITY_UNKNOWN',
        'Only the serial of this device is registered: an administrator must register its key, or allow first use.',
      );
    }
    if (device.identity_key_hash !== null && device.identity_key_hash !== identityKeyHash) {
      const why = 'The identity key is not the one that is registered for this device.';
      throw await refused('IDENTITY_MISMATCH', why, 'IDENTITY_MISMATCH');
    }
    if (device.owner_id !== null && device.owner_id !== userId) {
      const why = 'The device has an owner, who must unlink it first.';
      throw await refused('DEVICE_OWNED', why, 'CLAIM_OF_OWNED_DEVICE');
    }
    if (device.life_cycle === 'RECOVERY_NEEDED') {
      throw new ProblemError('RECOVERY_NEEDED', 'Recover the device first: make a recovery token for it.');
    }
    return device;
  }

  return {
    async claim(request, { userId, asked, source }) {
      const nowMs = clock.now();
      await assertQuota(asked?.byUserId ?? userId, nowMs);
      const device = await findDevice(request, userId, nowMs);
      const { nonce, hash } = drawNonce(random);
      const expiresAt = new Date(nowMs + NONCE_LIFETIME_MS);
      const claimId = newUuid();
      await db.transaction().execute(async (trx) => {
        await repository.insertClaim(trx, {
          id: claimId,
          deviceId: device.id,
          userId,
          askedBy: asked?.byUserId ?? null,
          nonceHash: hash,
          identityKeyHash: request.identityKeyHash,
          at: new Date(nowMs),
          expiresAt,
        });
        await writeAudit(trx, {
          actorUserId: asked?.byUserId ?? userId,
          action: asked === undefined ? 'claim.ask' : 'device.bind',
          objectType: 'claim',
          objectId: claimId,
          detail: {
            deviceUuid: device.device_uuid,
            ...(asked !== undefined && { userId: asked.forUserUuid }),
          },
          source,
        });
      });
      return { claimId, nonce, expiresAt: expiresAt.toISOString(), deviceApiUrl: config.deviceApiUrl };
    },
  };
}
