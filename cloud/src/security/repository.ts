import { sql, type Transaction } from 'kysely';
import { writeAudit } from '../audit/audit-log.ts';
import type { Schema } from '../database/schema.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import type { SecurityEventCode } from '../ports/security-reporter.ts';

export interface EventRow {
  readonly code: SecurityEventCode;
  readonly deviceUuid: string | undefined;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Writes of security events, alerts and quarantines. */
export function createSecurityRepository(database: CloudDatabase) {
  const { db } = database;
  return {
    async insertEvents(rows: readonly EventRow[]): Promise<void> {
      if (rows.length === 0) return;
      await sql`insert into security_events (device_id, code, detail)
        select d.id, e.code, e.detail
        from jsonb_to_recordset(${storable(rows)}::jsonb) as e(code text, "deviceUuid" uuid, detail jsonb)
        left join devices d on d.device_uuid = e."deviceUuid"`.execute(db);
    },

    insertAlert: (kind: string, deviceUuid: string | undefined, detail: object) =>
      insertAlert(db, kind, deviceUuid, detail),

    /** Another board speaks with the device's secret: when the original renews, only its owner can tell them apart. */
    async noteClone(deviceUuid: string, at: Date): Promise<void> {
      await db
        .updateTable('devices')
        .set({ clone_seen_at: at })
        .where('device_uuid', '=', deviceUuid)
        .where('clone_seen_at', 'is', null)
        .execute();
    },

    /**
     * ACTIVE → QUARANTINED and its alert together: nobody may find a device locked without being told why.
     * Answers whether it was ACTIVE.
     */
    quarantine: (deviceUuid: string, reason: string, detail: object) =>
      moveLifeCycle(database, deviceUuid, 'ACTIVE', 'QUARANTINED', reason, (trx) =>
        insertAlert(trx, 'COMPROMISE_SUSPECTED', deviceUuid, detail),
      ),

    /** QUARANTINED → ACTIVE, when what led to it turned out to be the broker. */
    liftQuarantine: (deviceUuid: string, reason: string) =>
      moveLifeCycle(database, deviceUuid, 'QUARANTINED', 'ACTIVE', reason, (trx) =>
        resolveAlerts(trx, deviceUuid),
      ),

    async activeDevices(): Promise<number> {
      const row = await db
        .selectFrom('devices')
        .where('life_cycle', '=', 'ACTIVE')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },
  };
}
export type SecurityRepository = ReturnType<typeof createSecurityRepository>;

/**
 * JSON as PostgreSQL takes it, which refuses NUL and half a character. Evidence quotes strangers: one topic of theirs
 * must not keep every other event out.
 */
function storable(value: object): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'string' ? part.toWellFormed().replaceAll('\0', '\uFFFD') : part,
  );
}

async function insertAlert(
  queries: Queries,
  kind: string,
  deviceUuid: string | undefined,
  detail: object,
): Promise<void> {
  await sql`insert into alerts (kind, device_id, detail)
    values (${kind}, (select id from devices where device_uuid = ${deviceUuid ?? null}::uuid), ${storable(detail)}::jsonb)`.execute(
    queries,
  );
}

async function resolveAlerts(trx: Transaction<Schema>, deviceUuid: string): Promise<void> {
  await trx
    .updateTable('alerts')
    .set({ resolved_at: sql`now()` })
    .where('kind', '=', 'COMPROMISE_SUSPECTED')
    .where('resolved_at', 'is', null)
    .where('device_id', '=', trx.selectFrom('devices').where('device_uuid', '=', deviceUuid).select('id'))
    .execute();
}

async function moveLifeCycle(
  database: CloudDatabase,
  deviceUuid: string,
  from: 'ACTIVE' | 'QUARANTINED',
  to: 'ACTIVE' | 'QUARANTINED',
  reason: string,
  also: (trx: Transaction<Schema>) => Promise<void>,
): Promise<boolean> {
  return await database.db.transaction().execute(async (trx) => {
    const moved = await trx
      .updateTable('devices')
      .set({ life_cycle: to })
      .where('device_uuid', '=', deviceUuid)
      .where('life_cycle', '=', from)
      .executeTakeFirst();
    if (moved.numUpdatedRows === 0n) return false;
    await also(trx);
    await writeAudit(trx, {
      actorUserId: null,
      action: to === 'QUARANTINED' ? 'device.quarantine' : 'device.lift-quarantine',
      objectType: 'device',
      objectId: deviceUuid,
      detail: { reason },
    });
    await database.notify(trx, 'device', { deviceUuid });
    return true;
  });
}
