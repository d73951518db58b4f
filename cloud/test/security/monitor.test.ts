import { afterEach, describe, expect, it } from 'vitest';
import { createSecurityMonitor, type SecurityMonitor } from '../../src/security/monitor.ts';
import type { SecurityRepository } from '../../src/security/repository.ts';
import { fakeClock, silentLogger } from '../support/quiet.ts';

let monitor: SecurityMonitor;
afterEach(() => monitor.close());

/** A database that is away for as long as `away()` says so. */
function monitored(away: () => boolean) {
  const done: string[] = [];
  const clock = fakeClock();
  const note = async (what: string) => {
    if (away()) throw new Error('the database is away');
    done.push(what);
    return true;
  };
  const repository: SecurityRepository = {
    insertEvents: async () => undefined,
    insertAlert: async (kind) => void (await note(`alert ${kind}`)),
    noteClone: async () => void (await note('clone')),
    quarantine: () => note('quarantine'),
    liftQuarantine: () => note('lift'),
    activeDevices: async () => 1,
  };
  monitor = createSecurityMonitor({ repository, clock, log: silentLogger });
  return { done, clock };
}
const deviceUuid = '6a7c4c5e-7f4d-4c52-8b0e-0a4c4d1f2a33';

describe('a measure that could not be taken because the database was away', () => {
  it('is taken at the next sign: a copied card is marked', async () => {
    let isAway = true;
    const { done } = monitored(() => isAway);
    monitor.report({ code: 'PAIR_MISMATCH', deviceUuid });
    await monitor.flush();
    expect(done).toEqual([]);
    isAway = false;
    monitor.report({ code: 'PAIR_MISMATCH', deviceUuid });
    monitor.report({ code: 'PAIR_MISMATCH', deviceUuid });
    await monitor.flush();
    expect(done).toEqual(['clone', 'alert PAIR_MISMATCH']);
  });

  it('is taken at the next sign: a compromised device is quarantined', async () => {
    let isAway = true;
    const { done, clock } = monitored(() => isAway);
    const twenty = async () => {
      for (let n = 0; n < 20; n += 1) monitor.report({ code: 'MAC_MISMATCH', deviceUuid });
      await monitor.flush();
    };
    await twenty();
    expect(done).toEqual([]);
    isAway = false;
    clock.advance(61_000);
    await twenty();
    // The alert goes with it, in one transaction.
    expect(done).toEqual(['quarantine']);
  });
});
