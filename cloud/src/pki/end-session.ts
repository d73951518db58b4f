import type { CloudDatabase, Queries } from '../ports/database.ts';

/**
 * Asks every process to drop what it knows of the device and to end its session, when the transaction commits.
 * With its secret gone nobody could read its last will, so it is noted as OFFLINE here.
 */
export async function endSession(
  database: Pick<CloudDatabase, 'notify'>,
  trx: Queries,
  { deviceUuid, reason }: { readonly deviceUuid: string; readonly reason: string },
): Promise<void> {
  await trx
    .updateTable('devices')
    .set({ presence: 'OFFLINE' })
    .where('device_uuid', '=', deviceUuid)
    .where('presence', '<>', 'OFFLINE')
    .execute();
  await database.notify(trx, 'device', { deviceUuid });
  await database.notify(trx, 'endSession', { deviceUuid, reason });
}
