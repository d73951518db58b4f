import { ProblemError } from '@ares/protocol';
import type { Caller } from '../accounts/types.ts';
import { writeAudit } from '../audit/audit-log.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import { deviceRepository } from './repository.ts';
import type { DeviceAccess, DeviceView, NewDevice } from './types.ts';

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

    list: (caller: Caller) => deviceRepository.list(db, caller),

    /** @throws {ProblemError} NOT_FOUND */
    get: viewOf,

    /** @throws {ProblemError} NOT_FOUND */
    async setNickname(input: {
      readonly caller: Caller;
      readonly access: DeviceAccess;
      readonly nickname: string | null;
      readonly source: string;
    }): Promise<DeviceView> {
      const { caller, access, nickname, source } = input;
      await db.transaction().execute(async (trx) => {
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
     * @throws {ProblemError} ALREADY_PREREGISTERED, KEY_IN_USE, INVALID_REQUEST
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
        throw explainConflict(error, device);
      }
    },
  };
}

/** Which of the unique values was known already. */
function explainConflict(error: unknown, device: NewDevice): unknown {
  const { code, constraint } = error as { code?: string; constraint?: string };
  if (code !== '23505') return error;
  switch (constraint) {
    case 'devices_device_uuid_key':
      return new ProblemError(
        'ALREADY_PREREGISTERED',
        `The UUID ${device.deviceUuid} is registered already.`,
      );
    case 'devices_cpu_serial_key':
      return new ProblemError(
        'ALREADY_PREREGISTERED',
        `The serial ${device.cpuSerial} is registered already.`,
      );
    case 'devices_identity_key_hash_key':
    case 'devices_identity_key_retired':
      return new ProblemError(
        'KEY_IN_USE',
        'This identity key belongs, or belonged, to another device: run factory-init on a fresh card.',
      );
    default:
      return error;
  }
}
