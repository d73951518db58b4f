import type { LifeCycle } from '../database/schema.ts';
import type { Queries } from '../ports/database.ts';

export function runningAssignment(queries: Queries, deviceUuid: string) {
  return queries
    .selectFrom('devices as d')
    .leftJoin('assignments as a', (join) =>
      join.onRef('a.device_id', '=', 'd.id').on('a.ended_at', 'is', null),
    )
    .select(['d.id as device_id', 'd.life_cycle', 'a.id', 'a.number', 'a.user_id'])
    .where('d.device_uuid', '=', deviceUuid)
    .executeTakeFirst();
}

/** Keeps the order and marks what is left to do: revoke when it was heard, or at `dueAt`. */
export async function keepResetOrder(
  trx: Queries,
  row: { assignmentId: number; order: string; orderId: string; dueAt: Date },
): Promise<void> {
  await trx
    .updateTable('assignments')
    .set({ reset_order: row.order, reset_order_id: row.orderId, revoke_due_at: row.dueAt })
    .where('id', '=', row.assignmentId)
    .execute();
}

/** Takes from the device what its owner gave it: parts, name, tokens. */
export async function clearDevice(
  trx: Queries,
  row: { deviceId: number; assignmentId: number; lifeCycle: LifeCycle; at: Date },
): Promise<void> {
  await trx
    .updateTable('attached_components')
    .set({ detached_at: row.at })
    .where('assignment_id', '=', row.assignmentId)
    .where('detached_at', 'is', null)
    .execute();
  await trx.deleteFrom('recovery_tokens').where('device_id', '=', row.deviceId).execute();
  await trx
    .updateTable('devices')
    .set((is) => ({
      life_cycle: row.lifeCycle,
      nickname: null,
      components_revision: is('components_revision', '+', 1),
    }))
    .where('id', '=', row.deviceId)
    .execute();
}

/** Assignments whose certificates are still to be revoked. */
export function dueRevocations(queries: Queries, now: Date) {
  return queries
    .selectFrom('assignments as a')
    .innerJoin('devices as d', 'd.id', 'a.device_id')
    .select(['a.id', 'd.device_uuid'])
    .where('a.revoke_due_at', '<=', now)
    .orderBy('a.revoke_due_at')
    .limit(500)
    .execute();
}

/** Takes the mark away; says whether it was there. */
export async function takeDueRevocation(trx: Queries, assignmentId: number): Promise<boolean> {
  const taken = await trx
    .updateTable('assignments')
    .set({ revoke_due_at: null })
    .where('id', '=', assignmentId)
    .where('revoke_due_at', 'is not', null)
    .returning('id')
    .executeTakeFirst();
  return taken !== undefined;
}

export function assignmentByNumber(queries: Queries, deviceId: number, number: number) {
  return queries
    .selectFrom('assignments')
    .select(['id', 'ended_at', 'reset_order_id', 'reset_receipt_at', 'user_id'])
    .where('device_id', '=', deviceId)
    .where('number', '=', number)
    .executeTakeFirst();
}

export async function keepReceipt(trx: Queries, assignmentId: number, at: Date): Promise<void> {
  await trx
    .updateTable('assignments')
    .set({ reset_receipt_at: at })
    .where('id', '=', assignmentId)
    .where('reset_receipt_at', 'is', null)
    .execute();
}
