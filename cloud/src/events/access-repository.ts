import type { CloudDatabase } from '../ports/database.ts';

/** Who may watch which device, by the running assignments. */
export function createAccessRepository({ db }: Pick<CloudDatabase, 'db'>) {
  return {
    /** Devices that the user owns or may see. */
    async devicesOf(userId: number): Promise<string[]> {
      const rows = await db
        .selectFrom('assignments as a')
        .innerJoin('devices as d', 'd.id', 'a.device_id')
        .leftJoin('assignment_viewers as v', (join) =>
          join.onRef('v.assignment_id', '=', 'a.id').on('v.user_id', '=', userId),
        )
        .where('a.ended_at', 'is', null)
        .where((is) => is.or([is('a.user_id', '=', userId), is('v.user_id', 'is not', null)]))
        .select('d.device_uuid as deviceUuid')
        .execute();
      return rows.map(({ deviceUuid }) => deviceUuid);
    },

    /** Which of these users are administrators now. */
    async adminsAmong(userIds: readonly number[]): Promise<ReadonlySet<number>> {
      if (userIds.length === 0) return new Set();
      const rows = await db
        .selectFrom('user_roles as held')
        .innerJoin('roles as r', 'r.id', 'held.role_id')
        .where('held.user_id', 'in', userIds)
        .where('r.name', 'in', ['prime_admin', 'general_admin'])
        .select('held.user_id as userId')
        .execute();
      return new Set(rows.map(({ userId }) => userId));
    },

    /** Users who own the device or may see it. */
    async usersOf(deviceUuid: string): Promise<ReadonlySet<number>> {
      const rows = await db
        .selectFrom('assignments as a')
        .innerJoin('devices as d', 'd.id', 'a.device_id')
        .leftJoin('assignment_viewers as v', 'v.assignment_id', 'a.id')
        .where('d.device_uuid', '=', deviceUuid)
        .where('a.ended_at', 'is', null)
        .select(['a.user_id as owner', 'v.user_id as viewer'])
        .execute();
      return new Set(rows.flatMap(({ owner, viewer }) => (viewer === null ? [owner] : [owner, viewer])));
    },
  };
}
export type AccessRepository = ReturnType<typeof createAccessRepository>;
