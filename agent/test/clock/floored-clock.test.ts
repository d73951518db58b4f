import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFlooredClock } from '../../src/clock/floored-clock.ts';
import { createTrustedClock } from '../../src/clock/trusted-clock.ts';
import { createFakeClock, fakeNow } from '../support/fake-clock.ts';

const day = 86_400_000;
const hour = 3_600_000;
const releasedAt = fakeNow - 30 * day;
let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ares-clock-'));
  path = join(dir, 'clock');
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A boot of the board, with what its clock shows and says of itself. */
function boot(wall: number, synchronised = false) {
  const os = createFakeClock({ wall, synchronised });
  const clock = createFlooredClock({ clock: os, path, releasedAt });
  const time = createTrustedClock(clock, { onAgreed: clock.remember });
  return { os, clock, time };
}

describe('FSP-07 the clock of a board without a battery', () => {
  it('that starts in 1970 goes on from the release of the agent, and is not synchronised', async () => {
    const { os, clock } = boot(0, true);
    expect(clock.now()).toBe(releasedAt);
    expect(clock.synchronised()).toBe(false);
    await os.advance(hour);
    expect(clock.now()).toBe(releasedAt + hour);
  });

  it('goes on from the last time that cloud and network agreed on, after a clean stop', async () => {
    const first = boot(fakeNow, true);
    first.time.observeCloudTime(fakeNow, { awaited: true });
    await first.os.advance(10 * 60_000);
    first.clock.save();
    const second = boot(0, true);
    expect(second.clock.now()).toBe(fakeNow + 10 * 60_000);
    expect(second.clock.synchronised()).toBe(false);
    expect(second.time.trusted()).toBe(false);
    second.os.setWall(fakeNow + day);
    second.os.setSynchronised(true);
    expect(second.clock.now()).toBe(fakeNow + day);
    expect(second.clock.synchronised()).toBe(true);
  });

  it('goes on from an hour ago at most after a power cut, and wears the card by a file an hour', async () => {
    const { os, time } = boot(fakeNow, true);
    const written = new Set<string>();
    for (let minutes = 0; minutes < 180; minutes++) {
      time.observeCloudTime(os.now(), { awaited: true });
      written.add(readFileSync(path, 'utf8'));
      await os.advance(60_000);
    }
    expect(written.size).toBe(3);
    expect(boot(0).clock.now()).toBeGreaterThan(os.now() - hour - 60_000);
  });

  it.each([day, -day])('keeps no time of a jump by %d ms: the cloud does not agree with it', async (byMs) => {
    const { os, clock, time } = boot(fakeNow, true);
    time.observeCloudTime(os.now(), { awaited: true });
    await os.advance(2 * hour);
    os.setWall(os.now() + byMs);
    time.observeCloudTime(os.trueNow(), { awaited: true });
    expect(time.trusted()).toBe(false);
    clock.save();
    const kept = Number(readFileSync(path, 'utf8'));
    expect(Math.abs(kept - os.trueNow())).toBeLessThan(60_000);
    expect(clock.now()).toBeGreaterThanOrEqual(os.trueNow());
    expect(clock.synchronised()).toBe(byMs > 0);
  });

  it('believes the OS again when it was put right by less than a minute', async () => {
    const first = boot(fakeNow, true);
    first.time.observeCloudTime(fakeNow, { awaited: true });
    expect(boot(fakeNow - 50_000, true).clock.synchronised()).toBe(true);
    expect(boot(fakeNow - 70_000, true).clock.synchronised()).toBe(false);
  });

  it.each(['', 'garbage', '-5', '9e15', '1e400'])('is not led astray by a file that says %j', (text) => {
    writeFileSync(path, text);
    expect(boot(0).clock.now()).toBe(releasedAt);
  });

  it('is put right by the signed word of the cloud when the time kept was too late', () => {
    writeFileSync(path, String(fakeNow + 400 * day));
    const { clock, os } = boot(fakeNow, true);
    expect(clock.synchronised()).toBe(false);
    clock.correct(os.trueNow());
    expect(clock.synchronised()).toBe(true);
    expect(boot(0).clock.now()).toBe(fakeNow);
  });
});
