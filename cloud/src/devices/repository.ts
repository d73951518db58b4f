import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { type Caller, isAdmin } from '../accounts/types.ts';
import { type Page, toPage } from '../database/paging.ts';
import type { Queries } from '../ports/database.ts';
import type { DeviceAccess, DeviceQuery, DeviceView, HistoryAccess } from './types.ts';

/** Devices. Whatever returns one needs to know for whom: the scope is part of each query. */
export const deviceRepository = {
  /** `undefined` for an unknown device and for one that the caller has nothing to do with. */
  async findAccess(queries: Queries, caller: Caller, deviceUuid: string): Promise<DeviceAccess | undefined> {
    const row = await visibleTo(queries, caller)
      .where('d.device_uuid', '=', deviceUuid)
      .select(['d.id', 'd.device_uuid', 'a.id as assignment_id'])
      .executeTakeFirst();
    return (
      row && {
        deviceId: row.id,
        deviceUuid: row.device_uuid,
        assignmentId: row.assignment_id,
        role: row.role,
      }
    );
  },

  /** `undefined` for an unknown device and for one that never had anything to do with the caller. */
  async findHistoryAccess(
    queries: Queries,
    caller: Caller,
    deviceUuid: string,
  ): Promise<HistoryAccess | undefined> {
    const everything = isAdmin(caller);
    const row = await queries
      .selectFrom('devices as d')
      .select('d.id')
      .where('d.device_uuid', '=', deviceUuid)
      .$if(!everything, (query) =>
        query.where(({ exists, selectFrom }) =>
          exists(
            selectFrom('assignments as a')
              .leftJoin('assignment_viewers as v', (join) =>
                join.onRef('v.assignment_id', '=', 'a.id').on('v.user_id', '=', caller.userId),
              )
              .whereRef('a.device_id', '=', 'd.id')
              .where((is) => is.or([is('a.user_id', '=', caller.userId), is('v.user_id', 'is not', null)]))
              .select('a.id'),
          ),
        ),
      )
      .executeTakeFirst();
    return row && { deviceId: row.id, deviceUuid, everything };
  },

  async list(queries: Queries, caller: Caller, query: DeviceQuery): Promise<Page<DeviceView>> {
    const { text, limit, sort, order } = query;
    const key = sortKeys[sort];
    const rows = await filtered(views(queries, caller), query)
      .$if(query.after !== undefined, (q) => {
        const [value, id] = query.after!;
        const than = sql.raw(order === 'asc' ? '>' : '<');
        return q.where(sql<SqlBool>`(${key}, d.id) ${than} (${value}, ${id})`);
      })
      .$if(text !== undefined, (q) =>
        q.where(sql<SqlBool>`(strpos(lower(coalesce(d.nickname, '')), lower(${text})) > 0
          or strpos(d.cpu_serial, lower(${text})) > 0 or strpos(d.device_uuid::text, lower(${text})) > 0)`),
      )
      .select([key.as('sort_key'), 'd.id as sort_id'])
      .orderBy(key, order)
      .orderBy('d.id', order)
      .limit(limit + 1)
      .execute();
    return toPage(rows, limit, {
      positionOf: ({ sort_key, sort_id }) => [sort, sort_key, sort_id],
      toItem: toView,
    });
  },

  async find(queries: Queries, caller: Caller, deviceUuid: string): Promise<DeviceView | undefined> {
    const row = await views(queries, caller).where('d.device_uuid', '=', deviceUuid).executeTakeFirst();
    return row && toView(row);
  },

  /** What a claim has to name; `identityKeyHash` is `null` while only the serial is registered. */
  async findIdentity(
    queries: Queries,
    caller: Caller,
    deviceUuid: string,
  ): Promise<{ cpuSerial: string; identityKeyHash: string | null } | undefined> {
    const row = await visibleTo(queries, caller)
      .where('d.device_uuid', '=', deviceUuid)
      .select(['d.cpu_serial', 'd.identity_key_hash'])
      .executeTakeFirst();
    return row && { cpuSerial: row.cpu_serial, identityKeyHash: row.identity_key_hash };
  },

  /** Locks the device's row until the transaction ends. */
  async lockVersion(queries: Queries, deviceId: number): Promise<number> {
    const { version } = await queries
      .selectFrom('devices')
      .select('version')
      .where('id', '=', deviceId)
      .forUpdate()
      .executeTakeFirstOrThrow();
    return version;
  },

  /** `false` when the assignment that gave the right has ended meanwhile. */
  async setNickname(queries: Queries, access: DeviceAccess, nickname: string | null): Promise<boolean> {
    const { numUpdatedRows } = await queries
      .updateTable('devices')
      .set((column) => ({ nickname, version: column('version', '+', 1) }))
      .where('id', '=', access.deviceId)
      .where((is) =>
        access.assignmentId === null || access.role === 'admin'
          ? is.lit(true)
          : is.exists(
              is
                .selectFrom('assignments')
                .select('id')
                .where('id', '=', access.assignmentId)
                .where('ended_at', 'is', null),
            ),
      )
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  },

  /** Which of these three is known already, the board first: who registers it again must not draw a new UUID. */
  async findTaken(
    queries: Queries,
    device: { readonly deviceUuid: string; readonly cpuSerial: string },
  ): Promise<'serial' | 'uuid' | undefined> {
    const rows = await queries
      .selectFrom('devices')
      .select(['device_uuid', 'cpu_serial'])
      .where((is) =>
        is.or([is('cpu_serial', '=', device.cpuSerial), is('device_uuid', '=', device.deviceUuid)]),
      )
      .execute();
    if (rows.some((row) => row.cpu_serial === device.cpuSerial)) return 'serial';
    return rows.length > 0 ? 'uuid' : undefined;
  },

  /** @throws a unique violation of PostgreSQL (23505) when serial, UUID or key is known */
  async insert(
    queries: Queries,
    device: {
      readonly deviceUuid: string;
      readonly cpuSerial: string;
      readonly identityKeyHash: string | null;
      readonly firstUseUntil: Date | null;
      readonly hardwareVariantId: number;
    },
  ): Promise<void> {
    await queries
      .insertInto('devices')
      .values({
        device_uuid: device.deviceUuid,
        cpu_serial: device.cpuSerial,
        identity_key_hash: device.identityKeyHash,
        first_use_until: device.firstUseUntil,
        hardware_variant_id: device.hardwareVariantId,
      })
      .execute();
  },
};

/** The only way to a device as it is now: owner, viewer or administrator of the running assignment. */
function visibleTo(queries: Queries, caller: Caller) {
  const admin = isAdmin(caller);
  return queries
    .selectFrom('devices as d')
    .leftJoin('assignments as a', (join) =>
      join.onRef('a.device_id', '=', 'd.id').on('a.ended_at', 'is', null),
    )
    .leftJoin('assignment_viewers as v', (join) =>
      join.onRef('v.assignment_id', '=', 'a.id').on('v.user_id', '=', caller.userId),
    )
    .select(
      sql<DeviceAccess['role']>`case when a.user_id = ${caller.userId} then 'owner'
        when ${admin} then 'admin' else 'viewer' end`.as('role'),
    )
    .where(sql<SqlBool>`(${admin} or a.user_id = ${caller.userId} or v.user_id is not null)`);
}

function views(queries: Queries, caller: Caller) {
  return visibleTo(queries, caller)
    .innerJoin('hardware_variants as h', 'h.id', 'd.hardware_variant_id')
    .select([
      'd.device_uuid',
      'd.nickname',
      'd.life_cycle',
      'd.presence',
      'd.last_seen',
      'd.cpu_serial',
      'h.hardware_version',
      'h.hardware_variant',
      'a.started_at',
      'd.version',
    ]);
}

/** Of one type each and never null, so that a position can be compared with them. */
const sortKeys: Record<DeviceQuery['sort'], RawBuilder<string | number>> = {
  registered: sql<number>`d.id`,
  nickname: sql<string>`coalesce(lower(d.nickname), '')`,
  lastSeen: sql<number>`coalesce(extract(epoch from d.last_seen) * 1e6, 0)::double precision`,
};

function filtered(query: ReturnType<typeof views>, by: DeviceQuery) {
  const { presence, lifeCycle, hardwareVersion, hardwareVariant, owner } = by;
  let found = query;
  if (presence !== undefined) found = found.where('d.presence', '=', presence);
  if (lifeCycle !== undefined) found = found.where('d.life_cycle', '=', lifeCycle);
  if (hardwareVersion !== undefined) found = found.where('h.hardware_version', '=', hardwareVersion);
  if (hardwareVariant !== undefined) found = found.where('h.hardware_variant', '=', hardwareVariant);
  if (owner === undefined) return found;
  return found.where('a.user_id', '=', (from) =>
    from.selectFrom('users').select('id').where('email', '=', owner),
  );
}

function toView(row: Awaited<ReturnType<ReturnType<typeof views>['execute']>>[number]): DeviceView {
  return {
    deviceUuid: row.device_uuid,
    nickname: row.nickname,
    lifeCycle: row.life_cycle,
    presence: row.presence,
    hardwareVersion: row.hardware_version,
    hardwareVariant: row.hardware_variant,
    cpuSerial: row.cpu_serial,
    lastSeen: row.last_seen,
    role: row.role,
    claimedAt: row.started_at,
    version: row.version,
  };
}
