import { orderTypes, ProblemError, topics } from '@ares/protocol';
import { writeAudit } from '../audit/audit-log.ts';
import { lockDevice } from '../credentials/repository.ts';
import type { LifeCycle } from '../database/schema.ts';
import type { OrderSigner } from '../orders/order-signer.ts';
import { revokeCertificates } from '../pki/certificate-repository.ts';
import { endSession } from '../pki/end-session.ts';
import type { BrokerLink } from '../ports/broker-link.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import { endAssignment } from './end-assignment.ts';
import * as repository from './repository.ts';

/** How long a released device may still use its session, to hear the order and to say so. */
const RELEASE_GRACE_MS = 3_000;
const SWEEP_MS = 1_000;

/**
 * Gives a device away. One transaction ends the assignment; from its commit on nothing of the old owner is
 * accepted or shown any more. What is left, to tell the device and to revoke its certificate, is marked in the
 * table and done by whichever process comes first, this one or one that starts after it was killed.
 */
export interface ReleaseService {
  /** @throws {ProblemError} NOT_FOUND, CONFLICT (it has no owner) */
  release(device: {
    readonly deviceUuid: string;
    readonly actorUserId: number;
    /** The assignment that gave the right; when another one runs meanwhile, nothing is released. */
    readonly assignmentId?: number | null;
    readonly source?: string;
  }): Promise<void>;
  /** Revokes and ends the sessions of all whose time to listen is over. @returns how many */
  finishDue(): Promise<number>;
  /** Finishes one device's release now: its receipt came. */
  finish(deviceUuid: string, assignmentId: number): Promise<boolean>;
  /** Finishes what is due, at once and every second. */
  start(): void;
  stop(): Promise<void>;
}

export function createReleaseService(options: {
  readonly database: CloudDatabase;
  readonly orders: Pick<OrderSigner, 'sign'>;
  readonly broker: Pick<BrokerLink, 'publish'>;
  readonly clock: Clock;
  readonly newUuid: () => string;
  readonly log: Logger;
}): ReleaseService {
  const { database, orders, broker, clock, newUuid, log } = options;
  let timer: NodeJS.Timeout | undefined;
  let sweeping: Promise<unknown> | undefined;

  async function tellDevice(deviceUuid: string, order: string): Promise<void> {
    try {
      await broker.publish(topics.systemReset.build({ deviceUuid }), order, { qos: 1 });
    } catch (error) {
      // It learns it from its standing.
      log.warn({ deviceUuid, error: (error as Error).message }, 'the reset order could not be published');
    }
  }

  async function finish(deviceUuid: string, assignmentId: number): Promise<boolean> {
    return database.db.transaction().execute(async (trx) => {
      const device = await lockDevice(trx, deviceUuid);
      if (device === undefined || !(await repository.takeDueRevocation(trx, assignmentId))) return false;
      const at = new Date(clock.now());
      await revokeCertificates(trx, {
        deviceId: device.id,
        assignmentId,
        reason: 'cessationOfOperation',
        at,
      });
      await endSession(database, trx, { deviceUuid, reason: 'released' });
      return true;
    });
  }

  async function finishDue(): Promise<number> {
    let finished = 0;
    for (const due of await repository.dueRevocations(database.db, new Date(clock.now()))) {
      if (await finish(due.device_uuid, due.id)) finished += 1;
    }
    return finished;
  }

  const sweep = () => {
    sweeping ??= finishDue()
      .catch((error: Error) =>
        log.error({ error: error.message }, 'a release could not be finished; again soon'),
      )
      .finally(() => {
        sweeping = undefined;
      });
  };

  return {
    async release({ deviceUuid, actorUserId, assignmentId: allowed, source }) {
      const before = await repository.runningAssignment(database.db, deviceUuid);
      if (before === undefined) throw new ProblemError('NOT_FOUND', 'There is no such device.');
      const { id: assignmentId, number } = before;
      if (allowed !== undefined && allowed !== assignmentId) throw notYours(deviceUuid);
      if (assignmentId === null || number === null) throw noOwner();
      const orderId = newUuid();
      const topic = topics.systemReset.build({ deviceUuid });
      // Signed before the transaction, which then makes sure that it still is about the running assignment.
      const order = await orders.sign(orderTypes.reset, {
        aud: deviceUuid,
        asg: number,
        topic,
        jti: orderId,
      });
      await database.db.transaction().execute(async (trx) => {
        const device = await lockDevice(trx, deviceUuid);
        const now = await repository.runningAssignment(trx, deviceUuid);
        if (device === undefined || now?.id !== assignmentId) throw noOwner();
        const at = new Date(clock.now());
        const commands = await endAssignment(trx, { assignmentId, at });
        const dueAt = new Date(at.getTime() + RELEASE_GRACE_MS);
        await repository.keepResetOrder(trx, { assignmentId, order, orderId, dueAt });
        const lifeCycle = afterRelease(device.life_cycle);
        await repository.clearDevice(trx, { deviceId: device.id, assignmentId, lifeCycle, at });
        await writeAudit(trx, {
          actorUserId,
          action: 'device.release',
          objectType: 'device',
          objectId: deviceUuid,
          detail: { assignment: number, orderId },
          ...(source !== undefined && { source }),
        });
        await database.notify(trx, 'device', { deviceUuid });
        for (const commandId of commands) await database.notify(trx, 'command', { commandId });
      });
      await tellDevice(deviceUuid, order);
    },
    finishDue,
    finish,
    start() {
      sweep();
      timer ??= setInterval(sweep, SWEEP_MS).unref();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await sweeping;
    },
  };
}

/**
 * A device that waits for recovery stays locked although nobody owns it: its key may be in a thief's hands, who
 * could otherwise claim it. An administrator makes the recovery token then.
 */
function afterRelease(lifeCycle: LifeCycle): LifeCycle {
  return lifeCycle === 'ACTIVE' || lifeCycle === 'REGISTERED' ? 'RELEASED' : lifeCycle;
}

const notYours = (deviceUuid: string) => new ProblemError('NOT_FOUND', `You have no device ${deviceUuid}.`);
const noOwner = () => new ProblemError('CONFLICT', 'The device has no owner: there is nothing to unlink.');
