import { sql } from 'kysely';
import type { CloudDatabase } from '../ports/database.ts';

/** Everything about these devices, in six queries however many they are. */
export function createDirectoryRepository({ db }: Pick<CloudDatabase, 'db'>) {
  return {
    /** @param bootsSince boots that were first seen before can send nothing that is not too old */
    async load(deviceUuids: readonly string[], bootsSince: Date) {
      const devices = await db
        .selectFrom('devices as d')
        .innerJoin('hardware_variants as h', 'h.id', 'd.hardware_variant_id')
        .leftJoin('assignments as a', (join) =>
          join.onRef('a.device_id', '=', 'd.id').on('a.ended_at', 'is', null),
        )
        .leftJoin('users as u', 'u.id', 'a.user_id')
        .where('d.device_uuid', 'in', [...deviceUuids])
        .select([
          'd.id as deviceId',
          'd.device_uuid as deviceUuid',
          'd.cpu_serial as cpuSerial',
          'd.life_cycle as lifeCycle',
          'd.hardware_variant_id as variantId',
          'h.hardware_version as hardwareVersion',
          'h.hardware_variant as hardwareVariant',
          'a.id as assignmentId',
          'a.number as assignmentNumber',
          'u.email as userEmail',
        ])
        .select((from) =>
          from
            .selectFrom('former_emails as f')
            .whereRef('f.user_id', '=', 'u.id')
            .select(sql<string[]>`coalesce(array_agg(f.email), '{}')`.as('emails'))
            .as('formerEmails'),
        )
        .execute();
      const assignmentIds = devices.flatMap(({ assignmentId }) =>
        assignmentId === null ? [] : [assignmentId],
      );
      const [secrets, components, metrics, rules, boots] = await Promise.all([
        db
          .selectFrom('assignment_secrets')
          .where('assignment_id', 'in', none(assignmentIds))
          .orderBy('n', 'desc')
          .select(['assignment_id as assignmentId', 'n', 'sealed', 'retired_at as retiredAt'])
          .execute(),
        db
          .selectFrom('attached_components as c')
          .innerJoin('supported_components as s', 's.id', 'c.component_type_id')
          .where('c.assignment_id', 'in', none(assignmentIds))
          .select([
            'c.id as componentId',
            'c.assignment_id as assignmentId',
            'c.component_type_id as typeId',
            'c.pins',
            'c.attached_at as attachedAt',
            'c.detached_at as detachedAt',
            's.definition',
          ])
          .execute(),
        db.selectFrom('metrics').select(['id', 'component_type_id as typeId', 'metric']).execute(),
        db
          .selectFrom('device_pin_configs')
          .where('hardware_variant_id', 'in', none(devices.map(({ variantId }) => variantId)))
          .select(['hardware_variant_id as variantId', 'component_type as componentType', 'role', 'pins'])
          .execute(),
        db
          .selectFrom('device_boots')
          .where('device_id', 'in', none(devices.map(({ deviceId }) => deviceId)))
          .where('first_seen', '>', bootsSince)
          .selectAll()
          .execute(),
      ]);
      return { devices, secrets, components, metrics, rules, boots };
    },
  };
}

export type DirectoryRepository = ReturnType<typeof createDirectoryRepository>;
export type DirectoryRows = Awaited<ReturnType<DirectoryRepository['load']>>;

/** SQL has no empty list. */
const none = (ids: readonly number[]): number[] => (ids.length === 0 ? [-1] : [...ids]);
