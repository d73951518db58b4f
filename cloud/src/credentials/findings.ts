import type { CloudDatabase } from '../ports/database.ts';
import { raiseAlert, recordSecurityEvent } from '../security/security-events.ts';
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
      await recordSecurityEvent(trx, event);
      if (deviceId === null) continue;
      if (alert) await raiseAlert(trx, { kind: code, deviceId, ...(detail && { detail }), nowMs });
      if (clone) {
        await trx.updateTable('devices').set({ clone_seen_at: at }).where('id', '=', deviceId).execute();
      }
      if (wrongToken) await trx.insertInto('recovery_failures').values({ device_id: deviceId, at }).execute();
    }
  });
}
