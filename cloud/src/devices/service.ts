import { normalizeEmail, ProblemError } from '@ares/protocol';
import { z } from 'zod';
import { type Caller, isAdmin } from '../accounts/types.ts';
import { writeAudit } from '../audit/audit-log.ts';
import { assertMatch, type IfMatch } from '../http/conditional.ts';
import { decodeCursor, type Page } from '../http/paging.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import { deviceRepository } from './repository.ts';
import type { DeviceAccess, DeviceQuery, DeviceView, NewDevice } from './types.ts';

const FIRST_USE_MS = 86_400_000;

/** Hardware versions and variants that the catalogue knows. */
export interface HardwareVariants {
  /** `hardware_variants.id`; a variant that is new is made. */
  ensureVariant(
    queries: Queries,
    variant: { readonly hardwareVersion: string; readonly hardwareVariant: string },
  ): Promise<number>;
}

export type DeviceService = ReturnType<typeof createDeviceService>;

/** Devices as people see them: list, name, register. */
export function createDeviceService(ports: {
  readonly database: CloudDatabase;
  readonly clock: Clock;
  readonly variants: HardwareVariants;
}) {
  const { database, clock, variants } = ports;
  const { db } = database;

  const viewOf = async (caller: Caller, deviceUuid: string): Promise<DeviceView> => {
    const view = await deviceRepository.find(db, caller, deviceUuid);
    if (view === undefined) throw new ProblemError('NOT_FOUND', `You have no device ${deviceUuid}.`);
    return view;
  };

  return {
    /** For the policies `reader` and `owner`. */
    accessOf: (caller: Caller, deviceUuid: string) => deviceRepository.findAccess(db, caller, deviceUuid),

    /** For the policy `pastReader`. */
    historyAccessOf: (caller: Caller, deviceUuid: string) =>
      deviceRepository.findHistoryAccess(db, caller, deviceUuid),

    /** @throws {ProblemError} FORBIDDEN, INVALID_REQUEST */
    async list(
      caller: Caller,
      query: Omit<DeviceQuery, 'after'> & { readonly cursor?: string | undefined },
    ): Promise<Page<DeviceView>> {
      const { cursor, owner, ...rest } = query;
      if (owner !== undefined && !isAdmin(caller)) {
        throw new ProblemError('FORBIDDEN', 'Only an administrator may look for the devices of an owner.');
      }
      return deviceRepository.list(db, caller, {
        ...rest,
        ...(owner !== undefined && { owner: normalizeEmail(owner) }),
        ...(cursor !== undefined && { after: positionOf(cursor, query.sort) }),
      });
    },

    /** @throws {ProblemError} NOT_FOUND */
    get: viewOf,

    /** @throws {ProblemError} NOT_FOUND, PRECONDITION_FAILED */
    async setNickname(input: {
      readonly caller: Caller;
      readonly access: DeviceAccess;
      readonly nickname: string | null;
      readonly ifMatch: IfMatch;
      readonly source: string;
    }): Promise<DeviceView> {
      const { caller, access, nickname, ifMatch, source } = input;
      await db.transaction().execute(async (trx) => {
        assertMatch(ifMatch, await deviceRepository.lockVersion(trx, access.deviceId));
        if (!(await deviceRepository.setNickname(trx, access, nickname))) return;
        await writeAudit(trx, {
          actorUserId: caller.userId,
          action: 'device.nickname',
          objectType: 'device',
          objectId: access.deviceUuid,
          detail: { nickname },
          source,
        });
        await database.notify(trx, 'device', { deviceUuid: access.deviceUuid });
      });
      return viewOf(caller, access.deviceUuid);
    },

    /**
     * Makes a device known before it is sold. A serial alone cannot be claimed unless first use is allowed.
     * @throws {ProblemError} ALREADY_PREREGISTERED, UUID_TAKEN, KEY_IN_USE, INVALID_REQUEST
     */
    async preregister(input: {
      readonly caller: Caller;
      readonly device: NewDevice;
      readonly source: string;
    }): Promise<void> {
      const { caller, device, source } = input;
      if (device.identityKeyHash !== undefined && device.allowFirstUse) {
        throw new ProblemError(
          'INVALID_REQUEST',
          'Give either identityKeyHash or allowFirstUse: a known key needs no first use.',
        );
      }
      const firstUseUntil = device.allowFirstUse ? new Date(clock.now() + FIRST_USE_MS) : null;
      try {
        await db.transaction().execute(async (trx) => {
          await deviceRepository.insert(trx, {
            deviceUuid: device.deviceUuid,
            cpuSerial: device.cpuSerial,
            identityKeyHash: device.identityKeyHash ?? null,
            firstUseUntil,
            hardwareVariantId: await variants.ensureVariant(trx, device),
          });
          await writeAudit(trx, {
            actorUserId: caller.userId,
            action: 'device.preregister',
            objectType: 'device',
            objectId: device.deviceUuid,
            detail: { cpuSerial: device.cpuSerial, firstUseUntil: firstUseUntil?.toISOString() ?? null },
            source,
          });
        });
      } catch (error) {
        throw await explainConflict(db, error, device);
      }
    },
  };
}

/** The cursor belongs to one order of the list. @throws {ProblemError} INVALID_REQUEST */
function positionOf(cursor: string, sort: DeviceQuery['sort']): readonly [string | number, number] {
  const key = sort === 'nickname' ? z.string() : z.number();
  const [, value, id] = decodeCursor(z.tuple([z.literal(sort), key, z.int()]), cursor);
  return [value, id];
}

/** Which of the unique values was known already. */
async function explainConflict(queries: Queries, error: unknown, device: NewDevice): Promise<unknown> {
  const { code, constraint } = error as { code?: string; constraint?: string };
  if (code !== '23505') return error;
  switch (await deviceRepository.findTaken(queries, device)) {
    case 'serial':
      return new ProblemError(
        'ALREADY_PREREGISTERED',
        `The serial ${device.cpuSerial} is registered already.`,
      );
    case 'uuid':
      return new ProblemError(
        'UUID_TAKEN',
        `Another device has the UUID ${device.deviceUuid}: draw a new one and register again.`,
      );
    case undefined:
  }
  switch (constraint) {
    case 'devices_identity_key_hash_key':
    case 'devices_identity_key_retired':
      return new ProblemError(
        'KEY_IN_USE',
        'This identity key belongs, or belonged, to another device: run "ares-agent factory-init --new-identity" on the device.',
      );
    default:
      return error;
  }
}
