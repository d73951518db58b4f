import { ProblemError } from '@ares/protocol';
import { receiptSigningInput } from '@ares/protocol/http/device';
import { writeAudit } from '../audit/audit-log.ts';
import type { Challenges } from '../credentials/challenges.ts';
import { lockDevice } from '../credentials/repository.ts';
import { revokeCertificates } from '../pki/certificate-repository.ts';
import { endSession } from '../pki/end-session.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import { raiseAlert, recordSecurityEvent } from '../security/security-events.ts';
import { deviceByUuid } from '../standing/repository.ts';
import { assertSignedByDevice } from '../standing/signed-by-device.ts';
import * as repository from './repository.ts';
import type { ReleaseService } from './service.ts';

interface ResetReceipt {
  readonly deviceUuid: string;
  readonly assignment: number;
  /** `jti` of the order; `null` for a reset by button or CLI. */
  readonly orderId: string | null;
  readonly nonce: string;
  readonly signature: string;
}

/** Takes the word of a device that it has wiped itself. */
export interface ReceiptService {
  /**
   * The same receipt again is no error. A reset that no order asked for leaves the device with its owner, so
   * that a ten-second button makes nobody else's of it; its certificate is revoked, the owner is told.
   * @throws {ProblemError} NOT_FOUND, BAD_SIGNATURE, NONCE_UNKNOWN, NONCE_EXPIRED
   */
  accept(receipt: ResetReceipt): Promise<void>;
}

export function createReceiptService(options: {
  readonly database: CloudDatabase;
  readonly release: Pick<ReleaseService, 'finish'>;
  readonly challenges: Pick<Challenges, 'use'>;
  readonly clock: Clock;
  readonly apiHosts: readonly string[];
}): ReceiptService {
  const { database, release, challenges, clock, apiHosts } = options;
  return {
    async accept(receipt) {
      const { deviceUuid, assignment: number, orderId, nonce, signature } = receipt;
      const device = await deviceByUuid(database.db, deviceUuid);
      if (device === undefined) throw unknown();
      assertSignedByDevice({
        identityKey: device.identity_key,
        signature,
        apiHosts,
        textFor: (apiHost) =>
          receiptSigningInput({ apiHost, deviceUuid, assignment: number, orderId, nonce }),
      });
      const nowMs = clock.now();
      const at = new Date(nowMs);
      const assignmentId = await database.db.transaction().execute(async (trx) => {
        await lockDevice(trx, deviceUuid);
        const assignment = await repository.assignmentByNumber(trx, device.id, number);
        if (assignment === undefined) throw unknown();
        if (orderId !== null && assignment.reset_order_id !== orderId) throw unknown();
        if (assignment.reset_receipt_at !== null) return assignment.id;
        await challenges.use(trx, { nonce, deviceUuid, nowMs });
        const running = assignment.ended_at === null;
        if (running) {
          // Not kept as a receipt: the assignment may go on, and be released by order later.
          await revokeCertificates(trx, { deviceId: device.id, reason: 'cessationOfOperation', at });
          await endSession(database, trx, { deviceUuid, reason: 'reset' });
          await recordSecurityEvent(trx, { deviceId: device.id, code: 'RESET_WITHOUT_ORDER' });
          await raiseAlert(trx, { kind: 'RESET_WITHOUT_ORDER', deviceId: device.id, nowMs });
        } else {
          await repository.keepReceipt(trx, assignment.id, at);
        }
        await writeAudit(trx, {
          actorUserId: null,
          action: 'device.reset-receipt',
          objectType: 'device',
          objectId: deviceUuid,
          detail: { assignment: number, orderId },
        });
        return assignment.id;
      });
      await release.finish(deviceUuid, assignmentId);
    },
  };
}

const unknown = () => new ProblemError('NOT_FOUND', 'No such reset of this device is known.');
