import { describe, expect, it } from 'vitest';
import { endSessionsOnNotice } from '../../src/pki/session-end.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { silentLogger, until } from '../support/quiet.ts';

type Refused = (serials: readonly string[]) => Promise<ReadonlySet<string>>;

/** A broker with three connected certificates, and the two ways in which a database is heard. */
function world(refused: Refused) {
  const ended: string[] = [];
  let heard: (notice: { deviceUuid: string; reason: string }) => void = () => undefined;
  let missed = () => {};
  const stop = endSessionsOnNotice({
    broker: {
      endSession: (deviceUuid, reason) => void ended.push(`${deviceUuid} ${reason}`),
      async recheckSessions(ask) {
        for (const serial of await ask(['01', '02', '03'])) ended.push(serial);
      },
    },
    database: {
      listen: ((_kind, onNotice, onMissed) => {
        heard = onNotice as typeof heard;
        missed = onMissed;
        return () => undefined;
      }) as CloudDatabase['listen'],
    },
    certificates: { refused },
    log: silentLogger,
    againMs: 1,
  });
  return { ended, stop, heard: () => heard, missed: () => missed() };
}

describe('ending sessions', () => {
  it('ends the session that a notice names', () => {
    const { ended, heard } = world(async () => new Set());
    heard()({ deviceUuid: 'a', reason: 'revoked' });
    expect(ended).toEqual(['a revoked']);
  });

  it('ends only what is no longer accepted when notices were lost, also when the first look-ups fail', async () => {
    let asked = 0;
    const { ended, missed } = world(async () => {
      asked += 1;
      if (asked < 3) throw new Error('the database is still away');
      return new Set(['02']);
    });
    missed();
    await until(() => ended.length > 0, 'the end of a session');
    expect(ended).toEqual(['02']);
    expect(asked).toBe(3);
  });

  it('asks no more after it was stopped', async () => {
    let asked = 0;
    const first = Promise.withResolvers<never>();
    const { missed, stop } = world(() => {
      asked += 1;
      return first.promise;
    });
    missed();
    stop();
    first.reject(new Error('away'));
    await first.promise.catch(() => undefined);
    await new Promise((next) => setImmediate(next));
    expect(asked).toBe(1);
  });
});
