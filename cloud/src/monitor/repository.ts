import { type SqlBool, sql } from 'kysely';
import { writeAudit } from '../audit/audit-log.ts';
import { endSession } from '../pki/end-session.ts';
import type { CloudDatabase } from '../ports/database.ts';
import { recordSecurityEvent } from '../security/security-events.ts';

/** A connection of a device as the tables know it. */
export interface Connection {
  readonly connectionId: string | null;
  readonly presence: 'ONLINE' | 'OFFLINE' | 'TIMEOUT';
  /** The boot that named itself last. */
  readonly bootId: string | null;
  readonly bootCount: number | null;
}

/** What the tools of an operator read and write beside the API; whoever uses them may write to the database anyway. */
export function createMonitorRepository(database: CloudDatabase) {
  const { db } = database;
  return {
    /** UUIDs of the devices that this text may mean: a UUID, the beginning of one, or a nickname. */
    async find(text: string): Promise<string[]> {
      const rows = await db
        .selectFrom('devices')
        .select('device_uuid')
        .where(sql<SqlBool>`(starts_with(device_uuid::text, ${text}) or nickname = ${text})`)
        .orderBy('id')
        .limit(10)
        .execute();
      return rows.map((row) => row.device_uuid);
    },

    async connection(deviceUuid: string): Promise<Connection> {
      const row = await db
        .selectFrom('devices as d')
        .leftJoin('device_boots as b', (join) =>
          join.onRef('b.device_id', '=', 'd.id').on('b.born_at', 'is not', null),
        )
        .where('d.device_uuid', '=', deviceUuid)
        .select(['d.connection_id', 'd.presence', 'b.boot_id', 'b.boot_count'])
        .orderBy('b.born_at', (order) => order.desc().nullsLast())
        .limit(1)
        .executeTakeFirstOrThrow();
      return {
        connectionId: row.connection_id,
        presence: row.presence,
        bootId: row.boot_id,
        bootCount: row.boot_count,
      };
    },

    /** Marks that what comes next is a test, before it comes. */
    noteOfflineTest: (device: { deviceId: number; deviceUuid: string }, reason: string): Promise<void> =>
      db.transaction().execute(async (trx) => {
        await writeAudit(trx, {
          actorUserId: null,
          action: 'device.offline-test',
          objectType: 'device',
          objectId: device.deviceUuid,
          detail: { reason },
        });
        await recordSecurityEvent(trx, {
          deviceId: device.deviceId,
          code: 'OFFLINE_TEST',
          detail: { reason },
        });
      }),

    /** Has the device connect anew. */
    reconnect: (deviceUuid: string): Promise<void> =>
      db
        .transaction()
        .execute((trx) => endSession(database, trx, { deviceUuid, reason: 'a test of an operator' })),
  };
}
export type MonitorRepository = ReturnType<typeof createMonitorRepository>;
