import { sql } from 'kysely';
import type { CloudDatabase } from '../ports/database.ts';
import type { Pace } from './component-health.ts';

/** A device whose components are to be looked at. */
export interface DueDevice {
  readonly deviceUuid: string;
  /** What was last told of their health. */
  readonly told: string | null;
  readonly onlineSince: number | undefined;
  readonly paces: readonly Pace[];
}

export interface Looked {
  readonly deviceUuid: string;
  readonly told: string;
  /** Epoch ms of the next look; `undefined`: when the device is heard of. */
  readonly dueAt: number | undefined;
}

/** When which device's components are looked at: an index in the tables, shared by all processes. */
export function createHealthRepository({ db }: Pick<CloudDatabase, 'db'>) {
  return {
    /** Takes devices that are due; no other process gets them before `until`. Times in epoch ms. */
    async take(now: number, until: number, limit: number): Promise<readonly DueDevice[]> {
      const { rows: due } = await sql<{ id: number; uuid: string; told: string | null; since: Date | null }>`
        update devices set health_due_at = ${new Date(until)} where id in (
          select id from devices where health_due_at <= ${new Date(now)} order by health_due_at limit ${limit}
          for update skip locked)
        returning id, device_uuid as uuid, health_told as told, online_since as since`.execute(db);
      if (due.length === 0) return [];
      const { rows: components } = await sql<{
        device: number;
        id: number;
        at: Date;
        interval: number | null;
      }>`
        select c.device_id as device, c.id, c.attached_at as at,
          case when jsonb_array_length(s.definition->'metrics') > 0
            then (s.definition->>'sampleIntervalMs')::float8 end as interval
        from attached_components c
        join supported_components s on s.id = c.component_type_id
        join assignments a on a.id = c.assignment_id and a.ended_at is null
        where c.detached_at is null and c.device_id = any (${due.map(({ id }) => id)}::int[])`.execute(db);
      const paces = Map.groupBy(components, ({ device }) => device);
      return due.map(({ id, uuid, told, since }) => ({
        deviceUuid: uuid,
        told,
        onlineSince: since?.getTime(),
        paces: (paces.get(id) ?? []).map((one) => ({
          componentId: one.id,
          attachedAt: one.at.getTime(),
          intervalMs: one.interval ?? undefined,
        })),
      }));
    },

    /** Writes down what was told, and when to look again. */
    async looked(devices: readonly Looked[]): Promise<void> {
      if (devices.length === 0) return;
      const sorted = devices.toSorted((a, b) => (a.deviceUuid < b.deviceUuid ? -1 : 1));
      await sql`update devices d set health_told = l.told, health_due_at = to_timestamp(l.due / 1000)
        from unnest(${sorted.map(({ deviceUuid }) => deviceUuid)}::uuid[],
          ${sorted.map(({ told }) => told)}::text[], ${sorted.map(({ dueAt }) => dueAt ?? null)}::float8[])
          as l(uuid, told, due)
        where d.device_uuid = l.uuid`.execute(db);
    },
  };
}
export type HealthRepository = ReturnType<typeof createHealthRepository>;
