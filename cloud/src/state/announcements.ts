import { randomUUID } from 'node:crypto';
import type { CloudDatabase } from '../ports/database.ts';

/** UUIDs in one notice of at most 8,000 bytes. */
const NOTICE_DEVICES = 150;

/** Says to the other processes whose state changed, and hears it from them. */
export interface Announcements {
  /** Remembers a change for the next notice. */
  add(deviceUuid: string): void;
  /** Sends what was remembered. @throws when the database does not take it; then it stays remembered */
  send(): Promise<void>;
  /** Calls back with what other processes say. */
  hear(changed: (deviceUuids: readonly string[]) => void, missed: () => void): () => void;
}

export function createAnnouncements(
  database: Pick<CloudDatabase, 'db' | 'notify' | 'listen'>,
): Announcements {
  const me = randomUUID();
  const waiting = new Set<string>();
  return {
    add: (deviceUuid) => void waiting.add(deviceUuid),
    async send() {
      const devices = [...waiting];
      waiting.clear();
      try {
        for (let i = 0; i < devices.length; i += NOTICE_DEVICES)
          await database.notify(database.db, 'state', {
            deviceUuids: devices.slice(i, i + NOTICE_DEVICES),
            from: me,
          });
      } catch (error) {
        // Other processes would show what was, for as long as nothing else changes.
        for (const deviceUuid of devices) waiting.add(deviceUuid);
        throw error;
      }
    },
    hear: (changed, missed) =>
      database.listen(
        'state',
        ({ deviceUuids, from }) => {
          if (from !== me) changed(deviceUuids);
        },
        missed,
      ),
  };
}
