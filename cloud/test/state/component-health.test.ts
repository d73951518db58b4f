import { describe, expect, it } from 'vitest';
import { componentHealth, type Pace } from '../../src/state/component-health.ts';

const MINUTE = 60_000;
const now = Date.UTC(2030, 0, 1);
const pace = (over: Partial<Pace> = {}): Pace => ({
  componentId: 7,
  attachedAt: 0,
  intervalMs: 5_000,
  ...over,
});
const health = (
  about: { silentMs?: number; onlineMs?: number; presence?: 'ONLINE' | 'OFFLINE' | 'TIMEOUT' },
  of = pace(),
) =>
  componentHealth(of, {
    state: { presence: about.presence ?? 'ONLINE', health: [] },
    newest: about.silentMs === undefined ? undefined : now - about.silentMs,
    onlineSince: now - (about.onlineMs ?? 60 * MINUTE),
    now,
  });

describe('the health of a component', () => {
  it('goes from OK over STALE to ERROR as nothing is heard, and says when it will', () => {
    expect(health({ silentMs: 0 })).toEqual({ status: 'OK', changesAt: now + MINUTE + 1 });
    expect(health({ silentMs: MINUTE })).toMatchObject({ status: 'OK', changesAt: now + 1 });
    expect(health({ silentMs: MINUTE + 1 })).toEqual({ status: 'STALE', changesAt: now + 4 * MINUTE });
    expect(health({ silentMs: 5 * MINUTE })).toMatchObject({ status: 'STALE', changesAt: now + 1 });
    expect(health({ silentMs: 5 * MINUTE + 1 })).toEqual({
      status: 'ERROR',
      reason: 'no reading since 2029-12-31T23:54:59.999Z, though its device is online',
    });
  });

  it('follows the pace of its type', () => {
    const slow = pace({ intervalMs: 10 * MINUTE });
    expect(health({ silentMs: 30 * MINUTE }, slow).status).toBe('OK');
    expect(health({ silentMs: 31 * MINUTE }, slow).status).toBe('STALE');
    expect(health({ silentMs: 101 * MINUTE, onlineMs: 200 * MINUTE }, slow).status).toBe('ERROR');
    expect(health({ silentMs: 60 * MINUTE }, pace({ intervalMs: undefined })).status).toBe('OK');
  });

  it('follows the pace that its device tells, before that of its type', () => {
    const told = (silentMs: number) =>
      componentHealth(pace(), {
        state: {
          presence: 'ONLINE',
          health: [
            { componentId: 7, status: 'OK', bootCount: 1, uptimeMs: 1, sampleIntervalMs: 10 * MINUTE },
          ],
        },
        newest: now - silentMs,
        onlineSince: now - 600 * MINUTE,
        now,
      }).status;
    expect([told(30 * MINUTE), told(31 * MINUTE), told(101 * MINUTE)]).toEqual(['OK', 'STALE', 'ERROR']);
  });

  it('gives a component its time anew when it was attached or its device came back', () => {
    expect(health({ silentMs: 600 * MINUTE, onlineMs: 1_000 }).status).toBe('STALE');
    expect(health({}, pace({ attachedAt: now - MINUTE })).status).toBe('STALE');
    expect(health({}, pace({ attachedAt: now - 6 * MINUTE }))).toEqual({
      status: 'ERROR',
      reason: 'no reading at all, though its device is online',
    });
  });

  it('is never worse than STALE for the silence of a device that is not there', () => {
    expect(health({ silentMs: 600 * MINUTE, presence: 'TIMEOUT' })).toEqual({ status: 'STALE' });
  });
});
