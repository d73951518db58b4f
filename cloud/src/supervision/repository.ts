import { type Caller, isAdmin } from '../accounts/types.ts';
import { type Page, toPage } from '../database/paging.ts';
import type { LifeCycle } from '../database/schema.ts';
import type { Queries } from '../ports/database.ts';
import type { AlertQuery, AlertView, EventQuery, SecurityEventView } from './types.ts';

/** Interventions on devices, their security events and alerts. */
export const supervisionRepository = {
  /** What a blocked device was, and whether somebody owns it now. */
  async beforeBlock(
    queries: Queries,
    deviceId: number,
  ): Promise<{ before: LifeCycle | null; owned: boolean }> {
    const row = await queries
      .selectFrom('devices as d')
      .leftJoin('assignments as a', (join) =>
        join.onRef('a.device_id', '=', 'd.id').on('a.ended_at', 'is', null),
      )
      .select(['d.life_cycle_before_block as before', 'a.id as assignmentId'])
      .where('d.id', '=', deviceId)
      .executeTakeFirstOrThrow();
    return { before: row.before, owned: row.assignmentId !== null };
  },

  async setLifeCycle(
    queries: Queries,
    deviceId: number,
    to: { readonly lifeCycle: LifeCycle; readonly before: LifeCycle | null },
  ): Promise<void> {
    await queries
      .updateTable('devices')
      .set({ life_cycle: to.lifeCycle, life_cycle_before_block: to.before })
      .where('id', '=', deviceId)
      .execute();
  },

  async resolveOf(
    queries: Queries,
    by: { deviceId: number; kind: string; userId: number; resolution: string; at: Date },
  ): Promise<void> {
    await queries
      .updateTable('alerts')
      .set({ resolved_at: by.at, resolved_by: by.userId, resolution: by.resolution })
      .where('device_id', '=', by.deviceId)
      .where('kind', '=', by.kind)
      .where('resolved_at', 'is', null)
      .execute();
  },

  /** For administrators: `undefined` for an unknown device. */
  async events(
    queries: Queries,
    caller: Caller,
    deviceUuid: string,
    query: EventQuery,
  ): Promise<Page<SecurityEventView> | undefined> {
    if (!isAdmin(caller)) return undefined;
    const device = await queries
      .selectFrom('devices')
      .select('id')
      .where('device_uuid', '=', deviceUuid)
      .executeTakeFirst();
    if (device === undefined) return undefined;
    const { code, from, to, after, limit } = query;
    const rows = await queries
      .selectFrom('security_events')
      .select(['id', 'at', 'code', 'detail'])
      .where('device_id', '=', device.id)
      .$if(code !== undefined, (q) => q.where('code', '=', code!))
      .$if(from !== undefined, (q) => q.where('at', '>=', from!))
      .$if(to !== undefined, (q) => q.where('at', '<', to!))
      .$if(after !== undefined, (q) => q.where('id', '<', after!))
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .execute();
    return toPage(rows, limit, {
      positionOf: ({ id }) => id,
      toItem: ({ id, at, code: found, detail }) => ({ eventId: id, at, code: found, detail }),
    });
  },

  async alerts(queries: Queries, caller: Caller, query: AlertQuery): Promise<Page<AlertView>> {
    const { open, kind, deviceUuid, after, limit } = query;
    const rows = await alertsOf(queries, caller)
      .$if(open !== undefined, (q) => q.where('l.resolved_at', open === true ? 'is' : 'is not', null))
      .$if(kind !== undefined, (q) => q.where('l.kind', '=', kind!))
      .$if(deviceUuid !== undefined, (q) => q.where('d.device_uuid', '=', deviceUuid!))
      .$if(after !== undefined, (q) => q.where('l.id', '<', after!))
      .orderBy('l.id', 'desc')
      .limit(limit + 1)
      .execute();
    return toPage(rows, limit, { positionOf: ({ id }) => id, toItem: toAlert });
  },

  async alert(queries: Queries, caller: Caller, alertId: number): Promise<AlertView | undefined> {
    const row = await alertsOf(queries, caller).where('l.id', '=', alertId).executeTakeFirst();
    return row && toAlert(row);
  },

  async insertTest(
    queries: Queries,
    alert: { deviceId: number | null; detail: Record<string, unknown> },
  ): Promise<number> {
    const { id } = await queries
      .insertInto('alerts')
      .values({
        kind: 'TEST',
        device_id: alert.deviceId,
        detail: JSON.stringify(alert.detail),
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    return Number(id);
  },

  /** `false` when it was resolved before. */
  async resolve(
    queries: Queries,
    by: { alertId: number; userId: number; resolution: string; at: Date },
  ): Promise<boolean> {
    const { numUpdatedRows } = await queries
      .updateTable('alerts')
      .set({ resolved_at: by.at, resolved_by: by.userId, resolution: by.resolution })
      .where('id', '=', by.alertId)
      .where('resolved_at', 'is', null)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  },
};

/** An owner sees what happened since the device is his; what was before is not his affair. */
function alertsOf(queries: Queries, caller: Caller) {
  return queries
    .selectFrom('alerts as l')
    .leftJoin('devices as d', 'd.id', 'l.device_id')
    .select(['l.id', 'l.at', 'l.kind', 'd.device_uuid', 'l.detail', 'l.resolved_at', 'l.resolution'])
    .$if(!isAdmin(caller), (query) =>
      query.where(({ exists, selectFrom }) =>
        exists(
          selectFrom('assignments as a')
            .select('a.id')
            .whereRef('a.device_id', '=', 'l.device_id')
            .where('a.ended_at', 'is', null)
            .where('a.user_id', '=', caller.userId)
            .whereRef('a.started_at', '<=', 'l.at'),
        ),
      ),
    );
}

function toAlert(row: Awaited<ReturnType<ReturnType<typeof alertsOf>['execute']>>[number]): AlertView {
  return {
    alertId: row.id,
    at: row.at,
    kind: row.kind,
    deviceUuid: row.device_uuid,
    detail: row.detail,
    resolvedAt: row.resolved_at,
    resolution: row.resolution,
  };
}
