import { ProblemError } from '@ares/protocol';
import type { Caller } from '../accounts/types.ts';
import { writeAudit } from '../audit/audit-log.ts';
import { lockDevice } from '../credentials/repository.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';

/** For a device that was registered under a wrong UUID, before anything was done with it. */
export function createUuidCorrection(ports: { readonly database: CloudDatabase; readonly clock: Clock }) {
  const { database, clock } = ports;
  return {
    /** @throws {ProblemError} NOT_FOUND, CONFLICT, UUID_TAKEN */
    async forceUuid(input: {
      readonly caller: Caller;
      readonly from: string;
      readonly to: string;
      readonly reason: string;
      readonly source: string;
    }): Promise<void> {
      const { caller, from, to, reason, source } = input;
      await database.db
        .transaction()
        .execute(async (trx) => {
          const device = await lockDevice(trx, from);
          if (device === undefined) throw new ProblemError('NOT_FOUND', `There is no device ${from}.`);
          if (from === to) throw new ProblemError('CONFLICT', `The device has the UUID ${to} already.`);
          if (device.life_cycle !== 'REGISTERED' || (await isInUse(trx, device.id, new Date(clock.now()))))
            throw new ProblemError(
              'CONFLICT',
              'Only a device that nobody has claimed or is claiming can get another UUID: its certificate, messages and orders name the one it has.',
            );
          // The name in a certificate is all that tells a device from an app.
          if (await isApp(trx, to)) throw taken(to);
          await trx.updateTable('devices').set({ device_uuid: to }).where('id', '=', device.id).execute();
          // Under both names, so that either finds it.
          for (const objectId of [from, to]) {
            await writeAudit(trx, {
              actorUserId: caller.userId,
              action: 'device.force-uuid',
              objectType: 'device',
              objectId,
              detail: { from, to, reason },
              source,
            });
            await database.notify(trx, 'device', { deviceUuid: objectId });
          }
        })
        .catch((error: unknown) => {
          const { code, constraint } = error as { code?: string; constraint?: string };
          throw code === '23505' && constraint === 'devices_device_uuid_key' ? taken(to) : error;
        });
    },
  };
}

async function isInUse(queries: Queries, deviceId: number, now: Date): Promise<boolean> {
  const { used } = await queries
    .selectNoFrom(({ exists, selectFrom, or }) =>
      or([
        exists(selectFrom('assignments').select('id').where('device_id', '=', deviceId)),
        exists(selectFrom('certificates').select('id').where('device_id', '=', deviceId)),
        // They are sealed for the device of this name.
        exists(selectFrom('device_keys').select('id').where('device_id', '=', deviceId)),
        exists(
          selectFrom('claims')
            .select('id')
            .where('device_id', '=', deviceId)
            .where('used_at', 'is', null)
            .where('expires_at', '>', now),
        ),
      ]).as('used'),
    )
    .executeTakeFirstOrThrow();
  return Boolean(used);
}

async function isApp(queries: Queries, uuid: string): Promise<boolean> {
  const row = await queries
    .selectFrom('app_certificates')
    .select('app_uuid')
    .where('app_uuid', '=', uuid)
    .executeTakeFirst();
  return row !== undefined;
}

const taken = (uuid: string) =>
  new ProblemError('UUID_TAKEN', `Another device, or an app, has the UUID ${uuid}.`);
