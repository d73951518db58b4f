import { randomUUID } from 'node:crypto';
import { topics, type WifiChangeClaims } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import type { ChangeNetwork, NetworkChange } from '../../src/ports/network-changer.ts';
import type { WifiCredentials } from '../../src/ports/wifi.ts';
import { deviceUuid, sharedSecret } from '../support/fake-cloud.ts';
import { type BenchOptions, startBench } from '../support/session-bench.ts';
import { orderWifi, seal, wifiClaims } from '../support/wifi-order.ts';

const CANARY = 'tomatoes and basil';

/** A bench whose network changes as it is told; each attempt is noted. */
async function start(options?: BenchOptions) {
  const bench = await startBench(options);
  const attempts: WifiCredentials[] = [];
  let answer: ChangeNetwork = async () => ({ outcome: 'kept' });
  bench.changeNetwork = (wifi, how) => {
    attempts.push(wifi);
    return answer(wifi, how);
  };
  return {
    bench,
    attempts,
    become(next: ChangeNetwork) {
      answer = next;
    },
  };
}

describe('an order to change the Wi-Fi', () => {
  it('is obeyed and reported', async () => {
    const { bench, attempts } = await start();
    const claims = wifiClaims(bench);
    await orderWifi(bench, claims);
    expect(attempts).toEqual([{ ssid: 'greenhouse', password: CANARY }]);
    expect(bench.cloud.results).toMatchObject([{ commandId: claims.jti, outcome: 'COMPLETED' }]);
  });

  it.each<[NetworkChange, string]>([
    [{ outcome: 'undone', code: 'WIFI_WRONG_PASSWORD', detail: 'greenhouse refused' }, 'WIFI_WRONG_PASSWORD'],
    [{ outcome: 'undone', code: 'WIFI_NOT_FOUND', detail: 'no greenhouse' }, 'WIFI_NOT_FOUND'],
    [{ outcome: 'undone', code: 'ADDRESS_TIMEOUT', detail: 'greenhouse is mute' }, 'ADDRESS_TIMEOUT'],
    [{ outcome: 'undone', code: 'TLS_FAILED', detail: 'another cloud' }, 'CLOUD_UNREACHABLE'],
    [{ outcome: 'undone', code: 'TIMED_OUT', detail: 'too long' }, 'CLOUD_UNREACHABLE'],
    [{ outcome: 'undone', code: 'WIFI_FAILED', detail: 'greenhouse is odd' }, 'WIFI_FAILED'],
  ])('SEC-02 that fails says why, and names no network: %j', async (change, code) => {
    const { bench, become } = await start();
    become(async () => change);
    await orderWifi(bench, wifiClaims(bench));
    expect(bench.cloud.results).toMatchObject([{ outcome: 'FAILED', code }]);
    expect(JSON.stringify(bench.cloud.results)).not.toContain('greenhouse');
  });

  it('CMD-06 a replayed order is answered again and does nothing', async () => {
    const { bench, attempts } = await start();
    const claims = wifiClaims(bench);
    await orderWifi(bench, claims);
    await orderWifi(bench, claims);
    await bench.restart();
    await orderWifi(bench, claims);
    expect(attempts).toHaveLength(1);
    expect(bench.cloud.results.map(({ outcome }) => outcome)).toEqual([
      'COMPLETED',
      'COMPLETED',
      'COMPLETED',
    ]);
  });

  const REFUSED: readonly (readonly [string, Partial<WifiChangeClaims>, string])[] = [
    ['CMD-05 late', { iat: 1, exp: 2 }, 'EXPIRED'],
    ['sealed with another secret', { credentials: seal('{"ssid":"x"}', { secret: 'AAAA' }) }, 'REJECTED'],
    ['sealed for another device', { credentials: seal('{"ssid":"x"}', { uuid: randomUUID() }) }, 'REJECTED'],
    [
      'sealed under another name of the secret',
      { credentials: seal('{"ssid":"x"}', { kid: 'a0.1' }) },
      'REJECTED',
    ],
    ['with a name of 33 bytes', { credentials: seal(JSON.stringify({ ssid: 'x'.repeat(33) })) }, 'REJECTED'],
    ['with a newline in it', { credentials: seal(JSON.stringify({ ssid: 'a\nb' })) }, 'REJECTED'],
    ['without JSON', { credentials: seal('greenhouse') }, 'REJECTED'],
    [
      'whose seal names a compression',
      {
        credentials: seal('{"ssid":"x"}', {
          header: { alg: 'dir', enc: 'A256GCM', kid: 'a1.1', zip: 'DEF' },
        }),
      },
      'REJECTED',
    ],
  ];
  it.each(REFUSED)('%s is not tried', async (_, over, outcome) => {
    const { bench, attempts } = await start();
    await orderWifi(bench, wifiClaims(bench, over));
    expect(attempts).toEqual([]);
    expect(bench.cloud.results).toMatchObject([{ outcome }]);
  });

  it('BLE-10 with any change of its seal is not tried', async () => {
    const { bench, attempts } = await start();
    const sealed = wifiClaims(bench).credentials.split('.');
    for (const at of [0, 2, 3, 4]) {
      const bent = sealed.map((text, i) =>
        i === at ? (text.startsWith('A') ? 'B' : 'A') + text.slice(1) : text,
      );
      await orderWifi(bench, wifiClaims(bench, { seq: at + 1, credentials: bent.join('.') }));
    }
    expect(attempts).toEqual([]);
    expect(bench.cloud.results).toHaveLength(4);
  });

  it.each<[string, Partial<WifiChangeClaims>, { typ?: string; topic?: string }]>([
    ['CMD-14 of another assignment', { asg: 2 }, {}],
    ['CMD-03 for another device', { aud: randomUUID() }, {}],
    ['CMD-13 made for another topic', { topic: topics.componentsChanged.build({ deviceUuid }) }, {}],
    ['CMD-13 on another topic', {}, { topic: `commands/${deviceUuid}/wifi/join` }],
    ['CMD-13 of another type', {}, { typ: 'command+jwt' }],
  ])('%s is not even answered', async (_, over, how) => {
    const { bench, attempts } = await start();
    await orderWifi(bench, wifiClaims(bench, over), how);
    expect(attempts).toEqual([]);
    expect(bench.cloud.results).toEqual([]);
    expect(bench.session.status()).toBeDefined();
  });

  it('CMD-08 is stale after a later one', async () => {
    const { bench, attempts } = await start();
    await orderWifi(bench, wifiClaims(bench, { seq: 5 }));
    await orderWifi(bench, wifiClaims(bench, { seq: 4 }));
    expect(attempts).toHaveLength(1);
    expect(bench.cloud.results).toMatchObject([{ outcome: 'COMPLETED' }, { outcome: 'STALE' }]);
  });

  it('CMD-07 cut off by a restart is UNKNOWN and not tried again', async () => {
    const { bench, attempts, become } = await start();
    become(() => new Promise(() => undefined));
    const claims = wifiClaims(bench);
    await orderWifi(bench, claims);
    expect(attempts).toHaveLength(1);
    bench.crash();
    await bench.restart();
    await orderWifi(bench, claims);
    expect(attempts).toHaveLength(1);
    expect(bench.cloud.results.at(-1)).toMatchObject({ commandId: claims.jti, outcome: 'UNKNOWN' });
  });

  it('CMD-12 waits for a clock that can be trusted', async () => {
    const { bench, attempts } = await start({ synchronised: false });
    await orderWifi(bench, wifiClaims(bench));
    expect(attempts).toEqual([]);
    expect(bench.cloud.results).toMatchObject([{ outcome: 'REJECTED', code: 'CLOCK_UNTRUSTED' }]);
  });

  it('beside another change says so', async () => {
    const { bench, become } = await start();
    become(async () => ({ outcome: 'busy' }));
    await orderWifi(bench, wifiClaims(bench));
    expect(bench.cloud.results).toMatchObject([{ outcome: 'REJECTED', code: 'BUSY' }]);
  });

  it('is proven only by a connection that was made afterwards', async () => {
    const { bench, become } = await start();
    let before = 0;
    let after = 0;
    become(async (_, { proven: prove, signal }) => {
      before = bench.cloud.connection.length;
      await prove(signal);
      after = bench.cloud.connection.length;
      return { outcome: 'kept' };
    });
    await orderWifi(bench, wifiClaims(bench));
    for (let i = 0; i < 20 && after === 0; i++) await bench.advance(250);
    await bench.advance(250);
    expect(after).toBeGreaterThan(before);
    expect(bench.cloud.results).toMatchObject([{ outcome: 'COMPLETED' }]);
  });

  it('is called off when the session stops, and ends before it', async () => {
    const { bench, become } = await start();
    let undone = false;
    become(async (_, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      undone = true;
      return { outcome: 'undone', code: 'INTERRUPTED', detail: 'stopped' };
    });
    await orderWifi(bench, wifiClaims(bench));
    await bench.session.stop('test');
    expect(undone).toBe(true);
  });

  it('SEC-02 leaves neither name nor password in log and disk', async () => {
    const { bench, become } = await start();
    become(async () => ({ outcome: 'undone', code: 'WIFI_FAILED', detail: `greenhouse: ${CANARY}` }));
    await orderWifi(bench, wifiClaims(bench));
    await orderWifi(bench, wifiClaims(bench, { seq: 2, credentials: seal(`{"ssid":"${CANARY}"`) }));
    const { readdirSync, readFileSync } = await import('node:fs');
    const disk = readdirSync(bench.dir).map((file) => readFileSync(`${bench.dir}/${file}`, 'latin1'));
    for (const text of [...bench.log, ...disk]) {
      expect(text).not.toContain(CANARY);
      expect(text).not.toContain('greenhouse');
      expect(text).not.toContain(sharedSecret);
    }
  });
});
