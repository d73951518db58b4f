import { sql } from 'kysely';
import type { CloudDatabase } from '../ports/database.ts';

/**
 * Presence as all processes know it. Each change names what it replaces, so that of two processes which write down
 * different news of one device the later news stays.
 */
export function createPresenceRepository({ db }: Pick<CloudDatabase, 'db'>) {
  const isChanged = (result: { numUpdatedRows: bigint }) => result.numUpdatedRows > 0n;
  return {
    /** The device named a new connection at `at`. */
    async saveBirth(deviceUuid: string, connectionId: string, at: number): Promise<void> {
      await db
        .updateTable('devices')
        .set({
          presence: 'ONLINE',
          connection_id: connectionId,
          last_seen: sql`greatest(last_seen, to_timestamp(${at}::float8 / 1000))`,
        })
        .where('device_uuid', '=', deviceUuid)
        .execute();
    },

    /** Answers whether the will counted: it does only for the connection of the latest birth. */
    async saveWill(deviceUuid: string, connectionId: string): Promise<boolean> {
      const result = await db
        .updateTable('devices')
        .set({ presence: 'OFFLINE' })
        .where('device_uuid', '=', deviceUuid)
        .where('connection_id', '=', connectionId)
        .where('presence', '<>', 'OFFLINE')
        .executeTakeFirstOrThrow();
      return isChanged(result);
    },

    /** Answers whether it counted: not for a device that was seen since. */
    async saveTimeOut(deviceUuid: string, seenBefore: number): Promise<boolean> {
      const result = await db
        .updateTable('devices')
        .set({ presence: 'TIMEOUT' })
        .where('device_uuid', '=', deviceUuid)
        .where('presence', '=', 'ONLINE')
        .where((is) =>
          is.or([
            is('last_seen', 'is', null),
            is('last_seen', '<', sql<Date>`to_timestamp(${seenBefore}::float8 / 1000)`),
          ]),
        )
        .executeTakeFirstOrThrow();
      return isChanged(result);
    },

    /** A device that was silent spoke again at `at`. */
    async saveRevival(deviceUuid: string, at: number): Promise<void> {
      await db
        .updateTable('devices')
        .set({
          presence: 'ONLINE',
          last_seen: sql`greatest(last_seen, to_timestamp(${at}::float8 / 1000))`,
        })
        .where('device_uuid', '=', deviceUuid)
        .where('presence', '=', 'TIMEOUT')
        .execute();
    },

    /** Devices that are written down as ONLINE, with their last-seen in epoch ms. */
    async online(): Promise<Map<string, number>> {
      const rows = await db
        .selectFrom('devices')
        .where('presence', '=', 'ONLINE')
        .select(['device_uuid as deviceUuid', 'last_seen as lastSeen'])
        .execute();
      return new Map(rows.map(({ deviceUuid, lastSeen }) => [deviceUuid, lastSeen?.getTime() ?? 0]));
    },

    /** Moves last-seen of many devices forward. */
    async saveLastSeen(seen: ReadonlyMap<string, number>): Promise<void> {
      if (seen.size === 0) return;
      const sorted = [...seen].sort(([a], [b]) => (a < b ? -1 : 1));
      await sql`update devices d set last_seen = greatest(d.last_seen, to_timestamp(s.at / 1000))
        from unnest(${sorted.map(([uuid]) => uuid)}::uuid[], ${sorted.map(([, at]) => at)}::float8[]) as s(uuid, at)
        where d.device_uuid = s.uuid`.execute(db);
    },

    async lastSeen(deviceUuid: string): Promise<number | undefined> {
      const row = await db
        .selectFrom('devices')
        .where('device_uuid', '=', deviceUuid)
        .select('last_seen as lastSeen')
        .executeTakeFirst();
      return row?.lastSeen?.getTime();
    },
  };
}
export type PresenceRepository = ReturnType<typeof createPresenceRepository>;
