import { ProblemError } from '@ares/protocol';
import { OFFLINE_TOKEN_MAX_MS, REVOCATIONS_TYPE } from '@ares/protocol/offline-tokens';
import type { OrderSigner } from '../orders/order-signer.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';

/** Makes the signed list of a device's revoked offline tokens. */
export function createRevocationList(ports: {
  readonly database: CloudDatabase;
  readonly orders: Pick<OrderSigner, 'sign'>;
  readonly clock: Clock;
  readonly issuer: string;
}) {
  const { database, orders, clock, issuer } = ports;
  /** @throws {ProblemError} NOT_FOUND */
  return async (deviceUuid: string): Promise<string> => {
    const now = clock.now();
    // First of all: what is read after it is at least as new, so no version ever misses what belongs to it.
    const device = await deviceWithVersion(database.db, deviceUuid);
    if (device === undefined) throw new ProblemError('NOT_FOUND', `There is no device ${deviceUuid}.`);
    const assignment = await database.db
      .selectFrom('assignments')
      .select(['id', 'number'])
      .where('device_id', '=', device.id)
      .where('ended_at', 'is', null)
      .executeTakeFirst();
    const tokens = await database.db
      .selectFrom('offline_tokens')
      .select('jti')
      .where('assignment_id', '=', assignment?.id ?? -1)
      .where('revoked_at', 'is not', null)
      .where('expires_at', '>', new Date(now))
      .orderBy('jti')
      .execute();
    const keys = await database.db
      .selectFrom('device_keys')
      .select('kid')
      .where('device_id', '=', device.id)
      .where('deactivated_at', '>', new Date(now - OFFLINE_TOKEN_MAX_MS))
      .orderBy('kid')
      .execute();
    return await orders.sign(REVOCATIONS_TYPE, {
      iss: issuer,
      aud: deviceUuid,
      asg: assignment?.number ?? null,
      version: device.version ?? 0,
      exp: (now + OFFLINE_TOKEN_MAX_MS) / 1_000,
      tokens: tokens.map(({ jti }) => jti),
      keys: keys.map(({ kid }) => kid),
    });
  };
}

export type RevocationList = ReturnType<typeof createRevocationList>;

function deviceWithVersion(queries: Queries, deviceUuid: string) {
  return queries
    .selectFrom('devices as d')
    .leftJoin('offline_revocations as r', 'r.device_id', 'd.id')
    .where('d.device_uuid', '=', deviceUuid)
    .select(['d.id', 'r.version'])
    .executeTakeFirst();
}
