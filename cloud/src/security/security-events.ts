import type { Queries } from '../ports/database.ts';

/** What can happen to a device that somebody should look at. Closed; ingest and broker have their own beside it. */
export interface SecurityEvent {
  /** `devices.id`; `null` where no device is known. */
  readonly deviceId: number | null;
  /** Upper-case words, for instance `CLONE_SUSPECTED`. */
  readonly code: string;
  /** Evidence. Never a secret. */
  readonly detail?: Record<string, unknown>;
}

/** An open alert of one kind and device is not raised again within this time. */
const ALERT_QUIET_MS = 3_600_000;

/** Writes a security event. With a transaction it shares its fate: record a refusal outside of the one that fails. */
export async function recordSecurityEvent(queries: Queries, event: SecurityEvent): Promise<void> {
  const { deviceId, code, detail = {} } = event;
  await queries
    .insertInto('security_events')
    .values({ device_id: deviceId, code, detail: JSON.stringify(detail) })
    .execute();
}

/** Raises an alert that owner and operators see, unless the same one is open and young. */
export async function raiseAlert(
  queries: Queries,
  alert: {
    readonly kind: string;
    readonly deviceId: number;
    readonly detail?: Record<string, unknown>;
    readonly nowMs: number;
  },
): Promise<void> {
  const { kind, deviceId, detail = {}, nowMs } = alert;
  const open = await queries
    .selectFrom('alerts')
    .select('id')
    .where('kind', '=', kind)
    .where('device_id', '=', deviceId)
    .where('resolved_at', 'is', null)
    .where('at', '>', new Date(nowMs - ALERT_QUIET_MS))
    .executeTakeFirst();
  if (open !== undefined) return;
  await queries
    .insertInto('alerts')
    .values({ kind, device_id: deviceId, detail: JSON.stringify(detail), at: new Date(nowMs) })
    .execute();
}
