import { sql } from 'kysely';
import type { CloudDatabase } from '../ports/database.ts';
import type { DeviceState, HealthValue, MetricValue } from '../ports/state-store.ts';
import type { ShownDevice } from './document.ts';
import { createPresenceRepository } from './presence-repository.ts';

/** Newest boots that are searched for values, and newest readings of each. */
const BOOTS = 5;
const READINGS = 1_000;

/** The live state as the database knows it. */
export function createStateRepository({ db }: Pick<CloudDatabase, 'db'>) {
  return {
    ...createPresenceRepository({ db }),

    /** Names and components to show; `undefined` for an unknown device. */
    async shown(deviceUuid: string): Promise<ShownDevice | undefined> {
      const device = await db
        .selectFrom('devices as d')
        .leftJoin('assignments as a', (join) =>
          join.onRef('a.device_id', '=', 'd.id').on('a.ended_at', 'is', null),
        )
        .where('d.device_uuid', '=', deviceUuid)
        .select(['d.nickname', 'd.online_since as onlineSince', 'a.id as assignmentId'])
        .executeTakeFirst();
      if (device === undefined) return undefined;
      const components = await db
        .selectFrom('attached_components as c')
        .innerJoin('supported_components as s', 's.id', 'c.component_type_id')
        .where('c.assignment_id', '=', device.assignmentId ?? -1)
        .where('c.detached_at', 'is', null)
        .select([
          'c.id as componentId',
          'c.name',
          'c.attached_at as attachedAt',
          's.component_type as componentType',
          's.definition',
        ])
        .execute();
      return {
        deviceUuid,
        nickname: device.nickname,
        onlineSince: device.onlineSince?.getTime(),
        components: components.map(({ name, attachedAt, ...rest }) => ({
          ...rest,
          name: name ?? undefined,
          attachedAt: attachedAt.getTime(),
        })),
      };
    },

    /** Presence, health and newest values, from the tables alone; `undefined` for an unknown device. */
    async state(deviceUuid: string): Promise<DeviceState | undefined> {
      const device = await db
        .selectFrom('devices')
        .where('device_uuid', '=', deviceUuid)
        .select(['id', 'presence', 'connection_id as connectionId', 'last_seen as lastSeen'])
        .executeTakeFirst();
      if (device === undefined) return undefined;
      const wanted = await db
        .selectFrom('attached_components as c')
        .innerJoin('assignments as a', 'a.id', 'c.assignment_id')
        .innerJoin('metrics as m', 'm.component_type_id', 'c.component_type_id')
        .where('c.device_id', '=', device.id)
        .where('c.detached_at', 'is', null)
        .where('a.ended_at', 'is', null)
        .select(['c.id as componentId', 'm.id as metricId', 'm.metric'])
        .execute();
      const health = await db
        .selectFrom('component_health')
        .where('component_id', 'in', [-1, ...wanted.map(({ componentId }) => componentId)])
        .selectAll()
        .execute();
      return {
        presence: device.presence,
        connectionId: device.connectionId ?? undefined,
        lastSeen: device.lastSeen?.getTime(),
        values: await this.newestValues(device.id, wanted),
        health: health.map(
          (row): HealthValue => ({
            componentId: row.component_id,
            status: row.status,
            ...(row.reason !== null && { reason: row.reason }),
            ...(row.sample_interval_ms !== null && { sampleIntervalMs: row.sample_interval_ms }),
            bootCount: row.boot_count,
            uptimeMs: row.uptime_ms,
          }),
        ),
      };
    },

    /** The highest (boot count, seq) of each metric: newest boots first, along the unique index, until all are found. */
    async newestValues(
      deviceId: number,
      wanted: readonly { componentId: number; metricId: number; metric: string }[],
    ): Promise<MetricValue[]> {
      const missing = new Map(wanted.map((one) => [`${one.componentId}/${one.metricId}`, one.metric]));
      const values: MetricValue[] = [];
      if (missing.size === 0) return values;
      const boots = await db
        .selectFrom('device_boots')
        .where('device_id', '=', deviceId)
        .orderBy('boot_count', 'desc')
        .limit(BOOTS)
        .select(['id', 'boot_count as bootCount'])
        .execute();
      for (const boot of boots) {
        const rows = await db
          .selectFrom('telemetry_data')
          .where('device_id', '=', deviceId)
          .where('boot_id', '=', boot.id)
          .orderBy('seq', 'desc')
          .limit(READINGS)
          .select(['component_id', 'metric_id', 'seq', 'time', 'value'])
          .execute();
        for (const row of rows) {
          const key = `${row.component_id}/${row.metric_id}`;
          const metric = missing.get(key);
          if (metric === undefined) continue;
          missing.delete(key);
          values.push({
            componentId: row.component_id,
            metric,
            value: row.value,
            measuredAt: row.time.getTime(),
            bootCount: boot.bootCount,
            seq: row.seq,
          });
        }
        if (missing.size === 0) break;
      }
      return values;
    },

    async isOwned(deviceUuid: string): Promise<boolean> {
      const row = await db
        .selectFrom('assignments as a')
        .innerJoin('devices as d', 'd.id', 'a.device_id')
        .where('d.device_uuid', '=', deviceUuid)
        .where('a.ended_at', 'is', null)
        .select('a.id')
        .executeTakeFirst();
      return row !== undefined;
    },

    async saveHealth(health: readonly HealthValue[]): Promise<void> {
      if (health.length === 0) return;
      const rows = [...health].sort((a, b) => a.componentId - b.componentId);
      await db
        .insertInto('component_health')
        .values(
          rows.map((one) => ({
            component_id: one.componentId,
            status: one.status,
            reason: one.reason ?? null,
            boot_count: one.bootCount,
            uptime_ms: one.uptimeMs,
            sample_interval_ms: one.sampleIntervalMs ?? null,
          })),
        )
        .onConflict((conflict) =>
          conflict
            .column('component_id')
            .doUpdateSet((eb) => ({
              status: eb.ref('excluded.status'),
              reason: eb.ref('excluded.reason'),
              boot_count: eb.ref('excluded.boot_count'),
              uptime_ms: eb.ref('excluded.uptime_ms'),
              sample_interval_ms: eb.ref('excluded.sample_interval_ms'),
            }))
            .where(
              sql<boolean>`(excluded.boot_count, excluded.uptime_ms) >= (component_health.boot_count, component_health.uptime_ms)`,
            ),
        )
        .execute();
    },
  };
}
export type StateRepository = ReturnType<typeof createStateRepository>;
