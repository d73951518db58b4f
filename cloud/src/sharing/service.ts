import { normalizeEmail, ProblemError } from '@ares/protocol';
import { z } from 'zod';
import type { Caller } from '../accounts/types.ts';
import { writeAudit } from '../audit/audit-log.ts';
import type { DeviceAccess } from '../devices/types.ts';
import { decodeCursor, type Page } from '../http/paging.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import { sharingRepository } from './repository.ts';
import type { Share } from './types.ts';

/** With more people somebody only tries addresses. */
const MOST_VIEWERS = 50;

type By = { readonly caller: Caller; readonly access: DeviceAccess; readonly source: string };

export type SharingService = ReturnType<typeof createSharingService>;

/**
 * Who else may see a device. A share is for an address: its person sees the device as soon as he has an account with
 * that address confirmed, and the owner is never told whether he has. Rights are looked up at each request, and the
 * notice of a change ends streams, so what is taken back is gone at once, readings of the past included.
 */
export function createSharingService({ database }: { readonly database: CloudDatabase }) {
  const { db } = database;

  const change = (
    { caller, access, source }: By,
    action: string,
    run: (trx: Queries, assignmentId: number) => Promise<{ email?: string }>,
  ): Promise<void> =>
    db.transaction().execute(async (trx) => {
      const detail = await run(trx, running(access));
      await writeAudit(trx, {
        actorUserId: caller.userId,
        action,
        objectType: 'device',
        objectId: access.deviceUuid,
        detail,
        source,
      });
      await database.notify(trx, 'device', { deviceUuid: access.deviceUuid });
    });

  return {
    list(
      access: DeviceAccess,
      query: { readonly cursor?: string | undefined; readonly limit: number },
    ): Promise<Page<Share>> {
      const { cursor, limit } = query;
      const after = cursor === undefined ? undefined : decodeCursor(z.string().max(254), cursor);
      if (access.assignmentId === null) return Promise.resolve({ items: [], nextCursor: null });
      return sharingRepository.list(db, access.assignmentId, { after, limit });
    },

    /** @throws {ProblemError} NOT_FOUND (nobody owns it any more), CONFLICT */
    async share(by: By & { readonly email: string }): Promise<Share> {
      const email = normalizeEmail(by.email);
      let made: Share | undefined;
      await change(by, 'device.share', async (trx, assignmentId) => {
        const locked = await sharingRepository.lockRunning(trx, assignmentId);
        if (locked === undefined) throw nobodyOwns(by.access);
        if (locked.ownerEmail === email) {
          throw new ProblemError('CONFLICT', `${email} owns this device.`);
        }
        if (locked.shares >= MOST_VIEWERS) {
          throw new ProblemError(
            'CONFLICT',
            `A device is shared with at most ${MOST_VIEWERS} people: stop sharing it with somebody first.`,
          );
        }
        made = await sharingRepository.insert(trx, assignmentId, email);
        if (made === undefined) {
          throw new ProblemError('CONFLICT', `The device is shared with ${email} already.`);
        }
        return { email };
      });
      return made!;
    },

    /** @throws {ProblemError} NOT_FOUND */
    stop: (by: By & { readonly viewerId: string }): Promise<void> =>
      change(by, 'device.unshare', async (trx, assignmentId) => {
        const email = await sharingRepository.remove(trx, assignmentId, by.viewerId);
        if (email === undefined) {
          throw new ProblemError('NOT_FOUND', 'The device is shared with nobody of this id.');
        }
        return { email };
      }),

    /** @throws {ProblemError} CONFLICT for the owner, and for an administrator, who needs no share */
    leave: (by: By): Promise<void> =>
      change(by, 'device.leave', async (trx, assignmentId) => {
        if (await sharingRepository.removeViewer(trx, assignmentId, by.caller.userId)) return {};
        throw new ProblemError('CONFLICT', 'This device is not shared with you: unlink it if you own it.');
      }),
  };
}

function running(access: DeviceAccess): number {
  if (access.assignmentId === null) throw nobodyOwns(access);
  return access.assignmentId;
}

const nobodyOwns = ({ deviceUuid }: DeviceAccess) =>
  new ProblemError('NOT_FOUND', `Nobody owns the device ${deviceUuid}, so it is shared with nobody.`);
