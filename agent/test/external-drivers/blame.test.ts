import { describe, expect, it } from 'vitest';
import { Blame } from '../../src/external-drivers/blame.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const hour = 3_600_000;
function create() {
  const clock = createFakeClock();
  return { clock, blame: new Blame(clock, { faults: 3, windowMs: hour, trialMs: 30_000 }) };
}

describe('blame', () => {
  it('is certain of the one whose code was entered and not left', () => {
    const { blame } = create();
    expect(blame.ended({ running: 'b', started: ['a', 'b'] })).toBe('b');
    expect(blame.refusal('a')).toBeUndefined();
  });

  it('suspects all who could have been it, and lets them come back one at a time', async () => {
    const { blame, clock } = create();
    expect(blame.ended({ running: undefined, started: ['a', 'b'] })).toBeUndefined();
    blame.began('a');
    blame.began('c');
    expect(blame.refusal('a')).toBeUndefined();
    expect(blame.refusal('b')).toContain('one at a time');
    expect(blame.refusal('c')).toBeUndefined();
    await clock.advance(30_000);
    // Not before the process was heard of: it may stand still since.
    expect(blame.refusal('b')).toContain('one at a time');
    blame.alive();
    expect(blame.refusal('b')).toBeUndefined();
    blame.began('b');
    expect(blame.ended({ running: undefined, started: ['a', 'b', 'c'] })).toBe('b');
    expect(blame.refusal('a')).toBeUndefined();
  });

  it('lets the next one come when the one on trial is detached', () => {
    const { blame } = create();
    blame.ended({ running: undefined, started: ['a', 'b'] });
    blame.began('a');
    blame.left('a');
    expect(blame.refusal('b')).toBeUndefined();
  });

  it('lets the next one come when the process of the trial has ended without anybody in it', () => {
    const { blame } = create();
    blame.ended({ running: undefined, started: ['a', 'b'] });
    blame.began('a');
    expect(blame.ended({ running: undefined, started: [] })).toBeUndefined();
    expect(blame.refusal('b')).toBeUndefined();
  });

  it('leaves alone for an hour whoever did it three times within one', async () => {
    const { blame, clock } = create();
    for (let i = 0; i < 3; i++) {
      expect(blame.refusal('a')).toBeUndefined();
      blame.fault('a');
      await clock.advance(60_000);
    }
    expect(blame.refusal('a')).toContain('left alone for 60 minutes');
    expect(blame.refusal('b')).toBeUndefined();
    await clock.advance(hour);
    expect(blame.refusal('a')).toBeUndefined();
  });
});
