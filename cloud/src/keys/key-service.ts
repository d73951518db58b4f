import { ProblemError } from '@ares/protocol';
import type { DevicePublicKey } from '@ares/protocol/offline-tokens';
import { z } from 'zod';
import { writeAudit } from '../audit/audit-log.ts';
import type { DeviceAccess } from '../devices/types.ts';
import { decodeCursor } from '../http/paging.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import { drawKey, keyContext } from './key-material.ts';
import { keyRepository } from './repository.ts';
import { type KeyAlgorithm, type KeyRow, type KeysConfig, keysDefaults } from './types.ts';

/** Who does it, for the audit log. */
interface By {
  readonly userId: number;
  readonly source: string;
}

export type KeyService = ReturnType<typeof createKeyService>;

/** Keys of devices for offline tokens: the cloud signs with them in the device's name, and devices verify. */
export function createKeyService(ports: {
  readonly database: CloudDatabase;
  readonly secrets: Pick<SecretStore, 'seal'>;
  readonly clock: Clock;
  readonly config?: Partial<KeysConfig>;
}) {
  const { database, secrets, clock } = ports;
  const { overlapMs, mostKeys }: KeysConfig = { ...keysDefaults, ...ports.config };

  return {
    /**
     * A new key signs from now on; the old one stays published until its tokens have expired.
     * @throws {ProblemError} NOT_FOUND, TOO_MANY_REQUESTS
     */
    async rotate(access: DeviceAccess, alg: KeyAlgorithm, by: By): Promise<KeyRow> {
      const { deviceId, deviceUuid } = access;
      const { publicJwk, privateJwk } = await drawKey(alg);
      const { kid } = publicJwk;
      const sealed = await secrets.seal(Buffer.from(JSON.stringify(privateJwk)), keyContext(deviceUuid, kid));
      return await database.db.transaction().execute(async (trx) => {
        if (!(await keyRepository.lock(trx, access))) throw notYours(deviceUuid);
        const now = clock.now();
        const endings = await keyRepository.endings(trx, deviceId, new Date(now - overlapMs));
        if (endings.length >= mostKeys) throw tooMany(endings, now, overlapMs);
        await keyRepository.rotateOut(trx, deviceId, new Date(now));
        const row = await keyRepository.insert(trx, {
          deviceId,
          alg,
          publicJwk,
          sealed,
          at: new Date(now),
        });
        await writeAudit(trx, {
          actorUserId: by.userId,
          action: 'device-key.rotate',
          objectType: 'device-key',
          objectId: kid,
          detail: { deviceUuid, alg },
          source: by.source,
        });
        return row;
      });
    },

    /**
     * Ends a key and every token that it signed, now. Safe to repeat.
     * @throws {ProblemError} NOT_FOUND
     */
    async deactivate(access: DeviceAccess, kid: string, by: By): Promise<KeyRow> {
      const { deviceId, deviceUuid } = access;
      return await database.db.transaction().execute(async (trx) => {
        if (!(await keyRepository.lock(trx, access))) throw notYours(deviceUuid);
        const found = await keyRepository.deactivate(trx, { deviceId, kid, at: new Date(clock.now()) });
        if (found === undefined) throw new ProblemError('NOT_FOUND', `The device has no key ${kid}.`);
        if (!found.changed) return found.row;
        await keyRepository.raiseRevocations(trx, deviceId);
        await writeAudit(trx, {
          actorUserId: by.userId,
          action: 'device-key.deactivate',
          objectType: 'device-key',
          objectId: kid,
          detail: { deviceUuid },
          source: by.source,
        });
        return found.row;
      });
    },

    /** Newest first; one row more than `limit`. @throws {ProblemError} INVALID_REQUEST for a foreign cursor */
    list(
      access: DeviceAccess,
      query: {
        readonly status?: 'ACTIVE' | 'ROTATED' | 'DEACTIVATED' | undefined;
        readonly cursor?: string | undefined;
        readonly limit: number;
      },
    ) {
      const { status, cursor, limit } = query;
      const before = cursor === undefined ? undefined : decodeCursor(z.int().positive(), cursor);
      return keyRepository.list(database.db, { deviceId: access.deviceId, status, before, limit });
    },

    /** Public keys that verify tokens at this moment. @throws {ProblemError} NOT_FOUND */
    async jwks(deviceUuid: string): Promise<{ keys: DevicePublicKey[] }> {
      const since = new Date(clock.now() - overlapMs);
      const keys = await keyRepository.published(database.db, deviceUuid, since);
      if (keys === undefined) throw new ProblemError('NOT_FOUND', `There is no device ${deviceUuid}.`);
      return { keys };
    },
  };
}

export const notYours = (deviceUuid: string) =>
  new ProblemError('NOT_FOUND', `You have no device ${deviceUuid}.`);

/** Each of them may have signed tokens that still count, so each has to be published or listed as ended. */
function tooMany(endings: readonly (Date | null)[], now: number, overlapMs: number): ProblemError {
  const oldest = endings[0]?.getTime() ?? now;
  return new ProblemError(
    'TOO_MANY_REQUESTS',
    `The device had ${endings.length} keys within a day; wait until the oldest of them is over.`,
    { retryAfterSeconds: Math.max(1, Math.ceil((oldest + overlapMs - now) / 1_000)) },
  );
}
