import { describe, expect, it } from 'vitest';
import { createTrustedClock } from '../../src/clock/trusted-clock.ts';
import { createFakeClock } from '../support/fake-clock.ts';

describe('the trusted clock', () => {
  it('CMD-12 is trusted only when it is set from the network and the cloud has agreed in this boot', () => {
    const clock = createFakeClock({ synchronised: false });
    const time = createTrustedClock(clock);
    expect(time.trustedNow()).toBeNull();
    time.observeCloudTime(clock.now() + 59_000, { awaited: true });
    expect(time.trusted()).toBe(false);
    clock.setSynchronised(true);
    expect(time.trusted()).toBe(true);
    expect(createTrustedClock(clock).trusted()).toBe(false);
  });

  it.each([61_000, -61_000, 86_400_000, -86_400_000])(
    'FSP-07 ends at the moment it jumps by %d ms',
    async (byMs) => {
      const clock = createFakeClock();
      const time = createTrustedClock(clock);
      time.observeCloudTime(clock.now(), { awaited: true });
      await clock.advance(3_600_000);
      expect(time.trusted()).toBe(true);
      clock.setWall(clock.now() + byMs);
      expect(time.trusted()).toBe(false);
      expect(time.uptimeMs()).toBe(3_600_000);
    },
  );

  it('FSP-07 is not led astray by an old answer that comes late', async () => {
    const clock = createFakeClock();
    const time = createTrustedClock(clock);
    const old = clock.now();
    time.observeCloudTime(old, { awaited: true });
    await clock.advance(600_000);
    time.observeCloudTime(old, { awaited: true });
    expect(time.trusted()).toBe(true);
    // The cloud's own clock was put right: the newer word counts.
    time.observeCloudTime(clock.now() + 120_000, { awaited: true });
    expect(time.trusted()).toBe(false);
  });

  it('takes the first word of the cloud from any answer of this boot, and a later one only where it was awaited', () => {
    const clock = createFakeClock();
    const time = createTrustedClock(clock);
    time.observeCloudTime(clock.now(), { awaited: false });
    expect(time.trusted()).toBe(true);
    for (let i = 1; i <= 5; i++) time.observeCloudTime(clock.now() - i * 50_000, { awaited: false });
    expect(time.trusted()).toBe(true);
  });
});
