import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createFlooredClock } from '../../src/clock/floored-clock.ts';
import { jobsByKnownTime } from '../../src/clock/jobs-by-known-time.ts';
import type { ChildJobs, CloudEndpoint } from '../../src/ports/child-jobs.ts';
import { CloudApiError } from '../../src/ports/cloud-api.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { createFakeClock, fakeNow } from '../support/fake-clock.ts';

const endpoint: CloudEndpoint = { apiUrl: 'https://cloud.example', caCertificates: [] };
const options = { signal: new AbortController().signal, timeoutMs: 1_000 };
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A cloud whose certificate is good from `fakeNow` on, for a day, and a board that believes it is 1970. */
function world({ synchronised = false, wall = 0, onTheWayMs = 0, failure = 'CLOCK' as const } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'ares-known-time-'));
  folders.push(folder);
  const os = createFakeClock({ wall, synchronised });
  const clock = createFlooredClock({ clock: os, path: join(folder, 'clock'), releasedAt: 0 });
  const tried: (number | undefined)[] = [];
  let asked = 0;
  const jobs = {
    run: async (_job: string, input: { endpoint: CloudEndpoint }) => {
      const { knownTime } = input.endpoint;
      tried.push(knownTime);
      if (!((knownTime ?? os.now()) >= fakeNow)) throw new CloudApiError(failure, 'CERT_NOT_YET_VALID: no');
      if (knownTime === undefined && os.now() > fakeNow + 86_400_000)
        throw new CloudApiError('TLS', 'CERT_HAS_EXPIRED: no');
      return {};
    },
  } as unknown as ChildJobs;
  const ask = async () => {
    asked++;
    const askedAt = os.monotonicMs();
    await os.advance(onTheWayMs);
    return { epochMs: fakeNow + 5_000, askedAt, answeredAt: os.monotonicMs() };
  };
  const made = jobsByKnownTime({ jobs, clock, ask, logger: silentLogger });
  return { os, clock, tried, asked: () => asked, reach: () => made.run('reach', { endpoint }, options) };
}

describe('FSP-07 what reaches the cloud', () => {
  it('asks it for the time where the clock is not set, once, and goes on by that', async () => {
    const { os, reach, tried, asked } = world();
    await reach();
    await os.advance(60_000);
    await reach();
    expect(tried).toEqual([undefined, fakeNow + 5_000, fakeNow + 65_000]);
    expect(asked()).toBe(1);
  });

  it('does so too where the clock is far ahead', async () => {
    const { reach, tried } = world({ wall: fakeNow + 400 * 86_400_000 });
    await reach();
    expect(tried).toEqual([undefined, fakeNow + 5_000]);
  });

  it('goes by the clock of the system as soon as that is set', async () => {
    const { os, reach, tried } = world();
    await reach();
    os.setWall(fakeNow + 60_000);
    os.setSynchronised(true);
    await reach();
    expect(tried.at(-1)).toBeUndefined();
  });

  it('asks again after a day: a quartz is not that good', async () => {
    const { os, clock, reach, asked } = world();
    await reach();
    await os.advance(86_400_001);
    expect(clock.signedNow()).toBeNull();
    os.setWall(0);
    await reach();
    expect(asked()).toBe(2);
  });

  it.each([
    ['the system keeps its clock set, whoever is wrong then', { synchronised: true }],
    ['the answer was long on its way', { onTheWayMs: 30_001 }],
  ])('fails as before where %s', async (_, how) => {
    const { clock, reach, tried } = world(how);
    await expect(reach()).rejects.toMatchObject({ code: 'CLOCK' });
    expect(tried).toEqual([undefined]);
    expect(clock.signedNow()).toBeNull();
  });

  it('NET-05 asks nobody what time it is because of another authority', async () => {
    const { reach, asked } = world({ failure: 'TLS' as never });
    await expect(reach()).rejects.toMatchObject({ code: 'TLS' });
    expect(asked()).toBe(0);
  });
});
