import { describe, expect, it } from 'vitest';
import { LifecycleError, type LifecycleEvent, next, transitions } from '../../src/lifecycle/transitions.ts';

const states = [...new Set(transitions.map(({ from }) => from))];

describe('the life of a device', () => {
  it('has one row for each event of a state', () => {
    const keys = transitions.map(({ from, on }) => `${from} ${on}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('can be started in every state', () => {
    for (const state of states) expect(next(state, 'started').to).toBe(state);
  });

  it('can be reset from everywhere but a reset', () => {
    const without = states.filter(
      (state) => !transitions.some(({ from, on }) => from === state && on === 'reset-requested'),
    );
    expect(without).toEqual(['RESETTING']);
  });

  it('leads back to UNPROVISIONED from every state', () => {
    const back = new Set(['UNPROVISIONED']);
    for (let round = 0; round < states.length; round += 1) {
      for (const { from, to } of transitions) if (back.has(to)) back.add(from);
    }
    expect([...back].sort()).toEqual([...states].sort());
  });

  it('FSP-09 makes a device wipe or recover only by what is signed, pressed, or by its own owner', () => {
    const events = (to: string) => [
      ...new Set(transitions.filter((row) => row.to === to && row.from !== to).map(({ on }) => on)),
    ];
    expect(events('RESETTING')).toEqual(['reset-requested']);
    expect(events('RECOVERY_NEEDED').sort()).toEqual(['credentials-lost', 'standing-recovery-needed']);
    expect(events('BLOCKED')).toEqual(['standing-blocked']);
  });

  it('BLE-12 takes no onboarding once it is provisioned', () => {
    for (const state of states.filter((name) => name !== 'UNPROVISIONED')) {
      expect(() => next(state, 'provision-requested')).toThrow(LifecycleError);
    }
  });

  it('names state and event when there is no row', () => {
    const event: LifecycleEvent = 'reset-done';
    expect(() => next('OPERATING', event)).toThrow('A device that is OPERATING does not take "reset-done".');
  });
});
