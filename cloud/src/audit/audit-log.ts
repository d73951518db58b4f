import type { Queries } from '../ports/database.ts';

/** One row of the audit log. Never put a secret into `detail`. */
export interface AuditEntry {
  /** `users.id`; `null` for the device itself or the cloud. */
  readonly actorUserId: number | null;
  /** `object.verb`, for instance `device.preregister`. */
  readonly action: string;
  readonly objectType:
    | 'user'
    | 'device'
    | 'component'
    | 'component-type'
    | 'claim'
    | 'certificate'
    | 'command'
    | 'hardware-variant'
    | 'pin-rule'
    | 'alert'
    | 'device-key'
    | 'offline-token'
    | 'role';
  readonly objectId: string;
  readonly detail?: Record<string, unknown>;
  /** IP address of the caller. */
  readonly source?: string;
}

/** Writes an audit row with the transaction of what it is about: both are there or neither. */
export async function writeAudit(queries: Queries, entry: AuditEntry): Promise<void> {
  await queries
    .insertInto('audit_log')
    .values({
      actor_user_id: entry.actorUserId,
      action: entry.action,
      object_type: entry.objectType,
      object_id: entry.objectId,
      detail: JSON.stringify(entry.detail ?? {}),
      source: entry.source ?? null,
    })
    .execute();
}
