import { sql } from 'kysely';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import { raiseAlert, recordSecurityEvent, type SecurityEvent } from '../security/security-events.ts';
import type { Finding } from './types.ts';

/** Writes down what was found out in a request, in a transaction of its own: a refused request rolled back its own. */
export async function keepFindings(
  database: CloudDatabase,
  findings: readonly Finding[],
  nowMs: number,
): Promise<void> {
  if (findings.length === 0) return;
  const at = new Date(nowMs);
  await database.db.transaction().execute(async (trx) => {
    for (const { event, alert, clone, wrongToken } of findings) {
      const { deviceId, code, detail } = event;
      if (!(await isKnown(trx, event))) await recordSecurityEvent(trx, event);
      if (deviceId === null) continue;
      if (alert) await raiseAlert(trx, { kind: code, deviceId, ...(detail && { detail }), nowMs });
      if (clone) {
        await trx.updateTable('devices').set({ clone_seen_at: at }).where('id', '=', deviceId).execute();
      }
      if (wrongToken) await trx.insertInto('recovery_failures').values({ device_id: deviceId, at }).execute();
    }
  });
}

/** A stranger who repeats himself writes one row a minute: whoever knows a UUID must not fill the table. */
async function isKnown(queries: Queries, { deviceId, code }: SecurityEvent): Promise<boolean> {
  const known = await queries
    .selectFrom('security_events')
    .select('id')
    .where('device_id', '=', deviceId)
    .where('code', '=', code)
    .where('at', '>', sql<Date>`now() - interval '1 minute'`)
    .executeTakeFirst();
  return known !== undefined;
}
