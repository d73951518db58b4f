import { ProblemError } from '@ares/protocol';
import { z } from 'zod';
import type { Caller } from '../accounts/types.ts';
import type { ClaimsService } from '../claims/service.ts';
import type { PendingClaim } from '../claims/types.ts';
import { deviceRepository } from '../devices/repository.ts';
import type { DeviceAccess } from '../devices/types.ts';
import { decodeCursor, type Page } from '../http/paging.ts';
import type { CloudDatabase } from '../ports/database.ts';
import { bindingRepository } from './repository.ts';
import type { Binding } from './types.ts';

export type BindingService = ReturnType<typeof createBindingService>;

/**
 * Claims by an administrator's hand. A bind goes through the claim itself, with what is registered of the device in
 * the place of what an app would have read from it: what a claim refuses, a bind refuses. It gives nobody anything
 * until the device has completed it with its own key.
 */
export function createBindingService(ports: {
  readonly database: CloudDatabase;
  readonly claims: ClaimsService;
}) {
  const { database, claims } = ports;
  const { db } = database;
  return {
    /** @throws {ProblemError} NOT_FOUND, CONFLICT, and what {@link ClaimsService.claim} throws */
    async bind(input: {
      readonly caller: Caller;
      readonly deviceUuid: string;
      readonly userUuid: string;
      readonly source: string;
    }): Promise<PendingClaim> {
      const { caller, deviceUuid, userUuid, source } = input;
      const device = await deviceRepository.findIdentity(db, caller, deviceUuid);
      if (device === undefined) throw new ProblemError('NOT_FOUND', `There is no device ${deviceUuid}.`);
      const user = await bindingRepository.findUser(db, userUuid);
      if (user === undefined) throw new ProblemError('NOT_FOUND', `There is no user ${userUuid}.`);
      if (!user.mayOwn) {
        throw new ProblemError('CONFLICT', 'This account is suspended or deleted: it cannot own devices.');
      }
      if (device.identityKeyHash === null) {
        throw new ProblemError(
          'IDENTITY_UNKNOWN',
          'The key of this device is not registered: only an app beside the device can claim it.',
        );
      }
      return claims.claim(
        { deviceUuid, cpuSerial: device.cpuSerial, identityKeyHash: device.identityKeyHash },
        { userId: user.id, asked: { byUserId: caller.userId, forUserUuid: userUuid }, source },
      );
    },

    async current(access: DeviceAccess): Promise<Binding | null> {
      if (access.assignmentId === null) return null;
      return (await bindingRepository.ofAssignment(db, access.assignmentId)) ?? null;
    },

    /** @throws {ProblemError} NOT_FOUND, INVALID_REQUEST */
    async ofUser(
      userUuid: string,
      query: {
        readonly active?: 'true' | 'false' | undefined;
        readonly cursor?: string | undefined;
        readonly limit: number;
      },
    ): Promise<Page<Binding>> {
      const { active, cursor, limit } = query;
      if ((await bindingRepository.findUser(db, userUuid)) === undefined) {
        throw new ProblemError('NOT_FOUND', 'There is no such user.');
      }
      return bindingRepository.ofUser(db, userUuid, {
        active: active === undefined ? undefined : active === 'true',
        after: cursor === undefined ? undefined : decodeCursor(z.int(), cursor),
        limit,
      });
    },
  };
}
