import { describe, expect, it } from 'vitest';
import { Connection } from '../../src/operate/connection.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { createFakeBroker } from '../support/fake-broker.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createTestRandom, credentials, startBench } from '../support/session-bench.ts';

const spreadMs = 30_000;
const capMs = 300_000;

function makeConnection(seed: number) {
  const clock = createFakeClock();
  const broker = createFakeBroker();
  const connection = new Connection({
    link: broker.link,
    clock,
    random: createTestRandom(seed),
    logger: silentLogger,
    config: {
      keepAliveSeconds: 30,
      connectTimeoutMs: 1_000,
      reconnectSpreadMs: spreadMs,
      reconnectCapMs: capMs,
    },
    target: () => ({
      host: 'broker.test',
      port: 1,
      clientId: 'device',
      caCertificates: [],
      certificateChain: '',
      privateKeyPem: '',
      notBefore: 0,
      will: { topic: 'w', payload: new Uint8Array() },
      subscribe: [],
    }),
    events: {
      onUp: () => undefined,
      onDown: () => undefined,
      onMessage: () => undefined,
      onState: () => undefined,
    },
  });
  return { clock, broker, connection };
}

describe('coming back', () => {
  it('NET-01 spreads a fleet over the whole 30 s after a broker was lost', async () => {
    const delays: number[] = [];
    for (let seed = 1; seed <= 60; seed++) {
      const { clock, broker, connection } = makeConnection(seed * 7_919);
      connection.start();
      await clock.advance(0);
      broker.drop();
      await clock.advance(0);
      const lostAt = clock.monotonicMs();
      while (!connection.connected) await clock.advance(500);
      delays.push(clock.monotonicMs() - lostAt);
    }
    expect(Math.max(...delays)).toBeGreaterThan(25_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(30_500);
    for (const third of [0, 10_000, 20_000])
      expect(delays.filter((ms) => ms >= third && ms < third + 10_000).length).toBeGreaterThan(8);
  });

  it('tries less and less often, but never gives up', async () => {
    const { clock, broker, connection } = makeConnection(3);
    broker.refuse('NETWORK');
    connection.start();
    await clock.advance(600_000);
    const early = broker.attempts.length;
    await clock.advance(86_400_000);
    const perDay = broker.attempts.length - early;
    expect(perDay).toBeGreaterThan(86_400_000 / capMs);
    expect(perDay).toBeLessThan(3_000);
    broker.refuse();
    await clock.advance(capMs);
    expect(connection.connected).toBe(true);
  });
});

describe('a certificate', () => {
  it('that is replaced is used at once, with a birth of its own, and nothing is lost', async () => {
    const bench = await startBench();
    bench.session.replaceCredentials({
      ...credentials,
      certificateSerial: '99',
      certificateChain: 'next',
      bootFloor: 50,
    });
    await bench.advance(0);
    expect(bench.broker.attempts.map(({ certificateChain }) => certificateChain)).toEqual(['chain', 'next']);
    expect(bench.cloud.connection.filter(({ event }) => event === 'online')).toMatchObject([
      { certificateSerial: 'abcdef' },
      { certificateSerial: '99' },
    ]);
    const ids = bench.cloud.connection.map(({ connectionId }) => connectionId);
    expect(new Set(ids).size).toBe(2);
    expect(bench.store.counters.bootCount).toBe(50);
    expect(() => bench.session.replaceCredentials({ ...credentials, assignment: 2 })).toThrow(TypeError);
  });

  it('FSP-07 that is not valid yet by the clock: waits for the clock, and does not bother the broker', async () => {
    const bench = await startBench({ credentials: { notBefore: 1_795_165_200_000 + 3_600_000 } });
    expect(bench.session.status().connection).toMatchObject({ state: 'waiting', code: 'CLOCK_BEHIND' });
    expect(bench.broker.attempts).toEqual([]);
    bench.clock.setWall(bench.clock.now() + 3_700_000);
    await bench.advance(5_001);
    expect(bench.session.status().connection).toMatchObject({ state: 'connected' });
  });

  it.each([
    ['NOT_AUTHORIZED', true],
    ['CERTIFICATE_REFUSED', true],
    ['NETWORK', false],
    ['SERVER_UNTRUSTED', false],
  ] as const)('when the broker says %s, asking for the standing is worth it: %s', async (code, worthIt) => {
    const bench = await startBench();
    const refused: unknown[] = [];
    bench.session.on('refused', ({ why }) => refused.push(why));
    bench.broker.refuse(code);
    bench.broker.drop();
    await bench.advance(60_000);
    expect(bench.session.status().connection).toMatchObject({ state: 'waiting', code });
    expect(refused.length > 0).toBe(worthIt);
  });
});

describe('a planned end', () => {
  it('switches outputs off, says good-bye, and leaves no will', async () => {
    const bench = await startBench();
    await bench.cloud.order(bench.cloud.claims());
    expect(bench.pumpOn()).toBe(true);
    await bench.session.stop('update');
    expect(bench.pumpOn()).toBe(false);
    expect(bench.cloud.connection.map(({ event }) => event)).toEqual(['online']);
    expect(bench.session.status().connection.state).toBe('stopped');
    expect(bench.hardware.gpio.openLines()).toEqual([]);
  });
});
