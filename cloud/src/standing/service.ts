import { orderTypes, ProblemError, type Standing } from '@ares/protocol';
import { standingSigningInput } from '@ares/protocol/http/device';
import type { Challenges } from '../credentials/challenges.ts';
import type { OrderSigner } from '../orders/order-signer.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import * as repository from './repository.ts';
import { assertSignedByDevice } from './signed-by-device.ts';

/** Tells a device, by a signed answer to its signed question, why nobody talks to it. */
export interface StandingService {
  /**
   * @returns a JWS `standing+jwt` that carries the device's own nonce
   * @throws {ProblemError} NOT_FOUND, BAD_SIGNATURE, NONCE_UNKNOWN, NONCE_EXPIRED
   */
  ask(request: {
    readonly deviceUuid: string;
    readonly nonce: string;
    readonly signature: string;
  }): Promise<string>;
}

export function createStandingService(options: {
  readonly database: CloudDatabase;
  readonly orders: Pick<OrderSigner, 'sign'>;
  readonly challenges: Pick<Challenges, 'use'>;
  readonly clock: Clock;
  /** `host:port` under which devices reach this cloud. */
  readonly apiHosts: readonly string[];
}): StandingService {
  const { database, orders, challenges, clock, apiHosts } = options;
  return {
    async ask({ deviceUuid, nonce, signature }) {
      const nowMs = clock.now();
      const device = await repository.deviceByUuid(database.db, deviceUuid);
      if (device === undefined) throw new ProblemError('NOT_FOUND', 'This device is not registered.');
      assertSignedByDevice({
        identityKey: device.identity_key,
        signature,
        apiHosts,
        textFor: (apiHost) => standingSigningInput({ apiHost, deviceUuid, nonce }),
      });
      const found = await database.db.transaction().execute(async (trx) => {
        await challenges.use(trx, { nonce, deviceUuid, nowMs });
        return standingOf(trx, device, nowMs);
      });
      return orders.sign(orderTypes.standing, { aud: deviceUuid, nonce, ...found });
    },
  };
}

/** What holds now. A reset order is handed out as long as no receipt came, whatever else is the matter. */
async function standingOf(
  queries: Queries,
  device: { readonly id: number; readonly life_cycle: string },
  nowMs: number,
): Promise<{ standing: Standing; order?: string }> {
  const assignment = await repository.latestAssignment(queries, device.id);
  const released = assignment !== undefined && assignment.ended_at !== null;
  if (released && assignment.reset_order !== null && assignment.reset_receipt_at === null) {
    return { standing: 'RELEASED', order: assignment.reset_order };
  }
  if (device.life_cycle === 'BLOCKED') return { standing: 'BLOCKED' };
  if (device.life_cycle === 'RECOVERY_NEEDED') return { standing: 'RECOVERY_NEEDED' };
  if (assignment === undefined || released) {
    const order = assignment?.reset_order ?? undefined;
    return { standing: 'RELEASED', ...(order !== undefined && { order }) };
  }
  return { standing: (await hasWorkingCertificate(queries, assignment.id, nowMs)) ? 'ACTIVE' : 'RENEW' };
}

/**
 * A newer certificate that was never used, beside an older one that is refused by now: the answer with the newer
 * one was lost, and the device that asks holds the older.
 */
async function hasWorkingCertificate(
  queries: Queries,
  assignmentId: number,
  nowMs: number,
): Promise<boolean> {
  const [latest, previous] = await repository.storedCertificates(queries, assignmentId);
  if (latest?.status !== 'ACTIVE' || latest.not_after === null) return false;
  if (latest.not_after.getTime() <= nowMs) return false;
  if (latest.used_at !== null) return true;
  return previous === undefined || (previous.superseded_until?.getTime() ?? 0) > nowMs;
}
