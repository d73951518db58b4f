import { ProblemError } from '@ares/protocol';
import { z } from 'zod';
import type { Caller } from '../accounts/types.ts';
import { writeAudit } from '../audit/audit-log.ts';
import { lockDevice } from '../credentials/repository.ts';
import type { LifeCycle } from '../database/schema.ts';
import { decodeCursor, type Page } from '../http/paging.ts';
import { endSession } from '../pki/end-session.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import { recordSecurityEvent } from '../security/security-events.ts';
import { supervisionRepository as repository } from './repository.ts';
import type { AlertQuery, AlertView, EventQuery, SecurityEventView } from './types.ts';

type Intervention = {
  readonly caller: Caller;
  readonly deviceUuid: string;
  readonly reason: string;
  readonly source: string;
};
type Paged<Q> = Omit<Q, 'after'> & { readonly cursor?: string | undefined };

export type SupervisionService = ReturnType<typeof createSupervisionService>;

/** What operators do about devices that misbehave. Each intervention has a reason, which the audit log keeps. */
export function createSupervisionService(ports: { readonly database: CloudDatabase; readonly clock: Clock }) {
  const { database, clock } = ports;
  const { db } = database;

  const intervene = (
    { caller, deviceUuid, reason, source }: Intervention,
    action: 'device.block' | 'device.unblock' | 'device.lift-quarantine',
    run: (trx: Queries, device: { id: number; life_cycle: LifeCycle }) => Promise<void>,
  ): Promise<void> =>
    db.transaction().execute(async (trx) => {
      const device = await lockDevice(trx, deviceUuid);
      if (device === undefined) throw noDevice(deviceUuid);
      await run(trx, device);
      await writeAudit(trx, {
        actorUserId: caller.userId,
        action,
        objectType: 'device',
        objectId: deviceUuid,
        detail: { reason },
        source,
      });
      await database.notify(trx, 'device', { deviceUuid });
    });

  return {
    /**
     * Certificates stay as they are, and are refused while the device is blocked: a mistake can be undone.
     * @throws {ProblemError} NOT_FOUND, CONFLICT
     */
    block: (input: Intervention): Promise<void> =>
      intervene(input, 'device.block', async (trx, device) => {
        if (device.life_cycle === 'BLOCKED') {
          throw new ProblemError('CONFLICT', 'The device is blocked already.');
        }
        await repository.setLifeCycle(trx, device.id, { lifeCycle: 'BLOCKED', before: device.life_cycle });
        await recordSecurityEvent(trx, {
          deviceId: device.id,
          code: 'DEVICE_BLOCKED',
          detail: { reason: input.reason },
        });
        await endSession(database, trx, { deviceUuid: input.deviceUuid, reason: 'blocked' });
      }),

    /** @throws {ProblemError} NOT_FOUND, CONFLICT */
    unblock: (input: Intervention): Promise<void> =>
      intervene(input, 'device.unblock', async (trx, device) => {
        if (device.life_cycle !== 'BLOCKED') {
          throw new ProblemError('CONFLICT', 'The device is not blocked.');
        }
        const lifeCycle = afterBlock(await repository.beforeBlock(trx, device.id));
        await repository.setLifeCycle(trx, device.id, { lifeCycle, before: null });
        // It has no session; revocation lists that name it are made anew on this notice.
        await endSession(database, trx, { deviceUuid: input.deviceUuid, reason: 'unblocked' });
      }),

    /** @throws {ProblemError} NOT_FOUND, CONFLICT */
    liftQuarantine: (input: Intervention): Promise<void> =>
      intervene(input, 'device.lift-quarantine', async (trx, device) => {
        if (device.life_cycle !== 'QUARANTINED') {
          throw new ProblemError('CONFLICT', 'The device is not in quarantine.');
        }
        const { owned } = await repository.beforeBlock(trx, device.id);
        await repository.setLifeCycle(trx, device.id, {
          lifeCycle: owned ? 'ACTIVE' : 'RELEASED',
          before: null,
        });
        await repository.resolveOf(trx, {
          deviceId: device.id,
          kind: 'COMPROMISE_SUSPECTED',
          userId: input.caller.userId,
          resolution: input.reason,
          at: new Date(clock.now()),
        });
      }),

    /** @throws {ProblemError} NOT_FOUND, INVALID_REQUEST */
    async events(
      caller: Caller,
      deviceUuid: string,
      { cursor, ...query }: Paged<EventQuery>,
    ): Promise<Page<SecurityEventView>> {
      const found = await repository.events(db, caller, deviceUuid, { ...query, ...afterOf(cursor) });
      if (found === undefined) throw noDevice(deviceUuid);
      return found;
    },

    /** @throws {ProblemError} INVALID_REQUEST */
    alerts: (caller: Caller, { cursor, ...query }: Paged<AlertQuery>): Promise<Page<AlertView>> =>
      repository.alerts(db, caller, { ...query, ...afterOf(cursor) }),

    /** An alert that means nothing, and says so. @throws {ProblemError} NOT_FOUND */
    test: (input: {
      readonly caller: Caller;
      readonly deviceUuid?: string | undefined;
      readonly note?: string | undefined;
      readonly source: string;
    }): Promise<AlertView> =>
      db.transaction().execute(async (trx) => {
        const { caller, deviceUuid, note, source } = input;
        const device = deviceUuid === undefined ? undefined : await lockDevice(trx, deviceUuid);
        if (deviceUuid !== undefined && device === undefined) throw noDevice(deviceUuid);
        const alertId = await repository.insertTest(trx, {
          deviceId: device?.id ?? null,
          detail: { test: true, ...(note !== undefined && { note }) },
        });
        await writeAudit(trx, {
          actorUserId: caller.userId,
          action: 'alert.test',
          objectType: 'alert',
          objectId: String(alertId),
          detail: { deviceUuid: deviceUuid ?? null },
          source,
        });
        return (await repository.alert(trx, caller, alertId))!;
      }),

    /** @throws {ProblemError} NOT_FOUND, CONFLICT */
    async resolve(input: {
      readonly caller: Caller;
      readonly alertId: number;
      readonly resolution: string;
      readonly source: string;
    }): Promise<AlertView> {
      const { caller, alertId, resolution, source } = input;
      return db.transaction().execute(async (trx) => {
        const known = await repository.alert(trx, caller, alertId);
        if (known === undefined) throw new ProblemError('NOT_FOUND', `There is no alert ${alertId}.`);
        const at = new Date(clock.now());
        if (!(await repository.resolve(trx, { alertId, userId: caller.userId, resolution, at }))) {
          throw new ProblemError('CONFLICT', 'Somebody resolved this alert before.');
        }
        await writeAudit(trx, {
          actorUserId: caller.userId,
          action: 'alert.resolve',
          objectType: 'alert',
          objectId: String(alertId),
          detail: { kind: known.kind, resolution },
          source,
        });
        return { ...known, resolvedAt: at, resolution };
      });
    },
  };
}

/** What the device was, as far as it can still be that: its owner may have given it away meanwhile. */
function afterBlock({ before, owned }: { before: LifeCycle | null; owned: boolean }): LifeCycle {
  if (before === 'RECOVERY_NEEDED' || before === 'QUARANTINED' || before === 'REGISTERED') return before;
  return owned ? 'ACTIVE' : 'RELEASED';
}

const afterOf = (cursor: string | undefined) =>
  cursor === undefined ? {} : { after: decodeCursor(z.int(), cursor) };

const noDevice = (deviceUuid: string) => new ProblemError('NOT_FOUND', `There is no device ${deviceUuid}.`);
