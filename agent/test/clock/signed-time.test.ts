import { CompactSign, exportJWK, generateKeyPair } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { askSignedTime } from '../../src/clock/signed-time.ts';
import { TimeSeeker } from '../../src/clock/time-seeker.ts';
import { createTrustedClock } from '../../src/clock/trusted-clock.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { createFakeClock, fakeNow } from '../support/fake-clock.ts';
import { pump, startBench } from '../support/session-bench.ts';

const hour = 3_600_000;
type Keys = Awaited<ReturnType<typeof generateKeyPair>>;
let keys: Keys;
let others: Keys;
let commandKeys: { keys: object[] };
beforeAll(async () => {
  keys = await generateKeyPair('EdDSA', { extractable: true });
  others = await generateKeyPair('EdDSA', { extractable: true });
  commandKeys = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k1' }] };
});

const sign = (claims: object, header: { typ?: string; by?: Keys } = {}) =>
  new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'EdDSA', kid: 'k1', typ: header.typ ?? 'time+jwt' })
    .sign((header.by ?? keys).privateKey);
const iat = fakeNow / 1_000;
const random = (count: number) => new Uint8Array(count).fill(7);

describe("the cloud's signed time", () => {
  const clock = createFakeClock();
  const askWith = (ask: (nonce: string) => Promise<string>) =>
    askSignedTime({ ask, commandKeys, clock, random });

  it('is believed when a command key signed it for this question', async () => {
    expect(await askWith((nonce) => sign({ nonce, iat }))).toMatchObject({ epochMs: fakeNow });
  });

  it.each([
    ['an old answer', () => sign({ nonce: 'A'.repeat(22), iat })],
    ['another key', (nonce: string) => sign({ nonce, iat }, { by: others })],
    ['another kind of word', (nonce: string) => sign({ nonce, iat }, { typ: 'standing+jwt' })],
    ['more than the time', (nonce: string) => sign({ nonce, iat, exp: iat + 1 })],
    ['no time', (nonce: string) => sign({ nonce, iat: 'now' })],
    ['a year nobody lives to see', (nonce: string) => sign({ nonce, iat: 1e15 })],
    ['no JWS', async () => 'time'],
  ])('FSP-07 is not believed of %s', async (_, ask) => {
    await expect(askWith(ask)).rejects.toThrow();
  });
});

describe('FSP-07 a clock that the network never sets', () => {
  function untimed() {
    const clock = createFakeClock({ synchronised: false });
    clock.setWall(0);
    const time = createTrustedClock(clock);
    const signed = (tookMs = 0) => {
      const answeredAt = clock.monotonicMs();
      return { epochMs: clock.trueNow() - tookMs / 2, askedAt: answeredAt - tookMs, answeredAt };
    };
    return { clock, time, signed };
  }

  it('goes by the signed time and the monotonic clock, for a day', async () => {
    const { clock, time, signed } = untimed();
    expect(time.trustedNow()).toBeNull();
    time.observeSignedTime(signed(2_000));
    expect([time.trustedNow(), time.source()]).toEqual([clock.trueNow(), 'cloud']);
    await clock.advance(23 * hour);
    expect(time.trustedNow()).toBe(clock.trueNow());
    await clock.advance(2 * hour);
    expect(time.trustedNow()).toBeNull();
  });

  it('does not believe an answer that was half a minute on its way', () => {
    const { time, signed } = untimed();
    time.observeSignedTime(signed(31_000));
    expect(time.trusted()).toBe(false);
  });

  it('is not trusted when the cloud, since then, says something else', async () => {
    const { clock, time, signed } = untimed();
    time.observeSignedTime(signed());
    time.observeCloudTime(clock.trueNow() + 30_000, { awaited: true });
    expect(time.trusted()).toBe(true);
    time.observeCloudTime(clock.trueNow() + 120_000, { awaited: true });
    expect(time.trusted()).toBe(false);
  });

  it("goes by the system's clock again as soon as that is set", () => {
    const { clock, time, signed } = untimed();
    time.observeSignedTime(signed());
    time.observeCloudTime(clock.trueNow(), { awaited: true });
    expect(time.source()).toBe('cloud');
    clock.setWall(clock.trueNow());
    clock.setSynchronised(true);
    expect(time.source()).toBe('system');
  });
});

describe('FSP-07 a question that was answered too late', () => {
  it('puts no clock right, and is asked again', async () => {
    const clock = createFakeClock({ synchronised: false });
    let tookMs = 31_000;
    const told: number[] = [];
    const seeker = new TimeSeeker({
      clock,
      time: createTrustedClock(clock),
      logger: silentLogger,
      ask: async () => {
        const answeredAt = clock.monotonicMs();
        return { epochMs: clock.trueNow(), askedAt: answeredAt - tookMs, answeredAt };
      },
      onTime: (epochMs) => told.push(epochMs),
      worthIt: () => true,
    });
    seeker.start();
    await clock.advance(60_000);
    expect(told).toEqual([]);
    tookMs = 1_000;
    await clock.advance(60_000);
    expect(told).toHaveLength(1);
    seeker.stop();
  });
});

describe('FSP-07 a device whose NTP is blocked', () => {
  it('asks the cloud, obeys again, and dates its readings', async () => {
    const bench = await startBench({ synchronised: false, signsTime: true });
    await bench.cloud.order(bench.cloud.claims());
    expect(bench.cloud.results.at(-1)).toMatchObject({ code: 'CLOCK_UNTRUSTED' });
    await bench.advance(31_000);
    expect(bench.session.status()).toMatchObject({ clockTrusted: true, clockSource: 'cloud' });
    await bench.cloud.order(bench.cloud.claims());
    expect(bench.cloud.results.at(-1)).toMatchObject({ outcome: 'COMPLETED', verified: true });
    expect(bench.pumpOn()).toBe(true);
    await bench.advance(60_000);
    expect(bench.cloud.telemetry.at(-1)?.sentAt).toBeGreaterThan(bench.clock.trueNow() - 60_000);
  });

  it('asks less and less often when the cloud cannot be asked, and not at all with a clock that is set', async () => {
    const untimed = await startBench({ items: [pump], synchronised: false });
    const failures = () => untimed.log.filter((line) => line.includes('the time is not known')).length;
    await untimed.advance(24 * hour);
    expect(failures()).toBeGreaterThan(20);
    expect(failures()).toBeLessThan(40);
    const timed = await startBench({ items: [pump], signsTime: true });
    await timed.advance(hour);
    expect(timed.log.some((line) => line.includes('the cloud signed the time'))).toBe(false);
  });
});
