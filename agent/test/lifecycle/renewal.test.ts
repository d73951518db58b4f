import { describe, expect, it } from 'vitest';
import { isRenewalDue, renewalPauseMs, renewalTime } from '../../src/lifecycle/renewal.ts';

const HOUR = 3_600_000;
const life = { notBefore: 1_000 * HOUR, notAfter: 1_024 * HOUR };

describe('renewal', () => {
  it('comes at two thirds of the life, earlier by up to a tenth of it', () => {
    expect(renewalTime(life, 0)).toBe(1_016 * HOUR);
    expect(renewalTime(life, 1)).toBe(Math.floor(1_013.6 * HOUR));
  });

  const due = (now: number, sinceIssuedMs?: number) =>
    isRenewalDue({ renewAt: 1_016 * HOUR, now, issuedAt: 1_000 * HOUR, sinceIssuedMs });

  it('FSP-07 is not skipped when the clock stands, jumps back, or was never set', () => {
    expect(due(1_015 * HOUR, 15 * HOUR)).toBe(false);
    expect(due(1_016 * HOUR, 15 * HOUR)).toBe(true);
    expect(due(0, 16 * HOUR)).toBe(true);
    expect(due(900 * HOUR, 16 * HOUR)).toBe(true);
    expect(due(0)).toBe(false);
  });

  it('waits longer after each failure, never less than the cloud asks for', () => {
    expect(renewalPauseMs(1, undefined, 0.5)).toBe(30_000);
    expect(renewalPauseMs(3, undefined, 0.5)).toBe(120_000);
    expect(renewalPauseMs(50, undefined, 0.5)).toBe(HOUR);
    expect(renewalPauseMs(1, 120, 0)).toBe(120_000);
  });
});
