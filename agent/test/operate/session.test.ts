import { topics } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import { deviceUuid, sharedSecret, signOrder } from '../support/fake-cloud.ts';
import { startBench, tellComponentsChanged } from '../support/session-bench.ts';

describe('a session that begins', () => {
  it('says who it is, then sends the first reading of each component at once', async () => {
    const { cloud, session } = await startBench();
    expect(cloud.connection).toMatchObject([
      { event: 'online', certificateSerial: 'abcdef', agentVersion: '0.1.0', bootCount: 1 },
    ]);
    const topics = cloud.telemetry.filter(({ readings }) => readings.length > 0).map(({ topic }) => topic);
    expect(topics).toContain(`telemetry/owner@example.org/${deviceUuid}/dht22/status`);
    expect(topics).toContain(`telemetry/owner@example.org/${deviceUuid}/pump/status`);
    expect(session.status()).toMatchObject({
      connection: { state: 'connected' },
      firstReadingAcknowledged: true,
      clockTrusted: true,
      outbox: { rows: 0, dropped: 0, deadLetters: 0 },
    });
  });

  it('runs a pump on command and switches it off by itself when the lease ends', async () => {
    const bench = await startBench();
    await bench.advance(1_000);
    await bench.cloud.order(bench.cloud.claims({ args: { durationMs: 5_000 } }));
    await bench.advance(0);
    expect(bench.pumpOn()).toBe(true);
    expect(bench.cloud.results).toMatchObject([{ outcome: 'COMPLETED', verified: true }]);
    await bench.advance(4_999);
    expect(bench.pumpOn()).toBe(true);
    await bench.advance(2);
    expect(bench.pumpOn()).toBe(false);
    const states = [...bench.cloud.stored.values()].filter(({ metric }) => metric === 'state');
    expect(states.map(({ value }) => value)).toEqual([0, 1, 0]);
  });
});

describe('the log', () => {
  it('SEC-02 CLM-14 holds no secret, key, order or address, whatever goes wrong', async () => {
    const bench = await startBench();
    const claims = bench.cloud.claims();
    const token = await signOrder(claims);
    bench.broker.deliver(claims.topic, token.slice(0, -4));
    await bench.cloud.order(claims);
    bench.broker.deliver(topics.telemetryAck.build({ deviceUuid }), 'no acknowledgement');
    bench.components = new Error('the cloud is away');
    await tellComponentsChanged(bench);
    bench.broker.refuse('NOT_AUTHORIZED');
    bench.broker.drop();
    await bench.advance(120_000);
    expect(bench.log.length).toBeGreaterThan(8);
    const text = bench.log.join('\n');
    const [, body = ''] = token.split('.');
    for (const secret of [sharedSecret, 'CANARY', 'PRIVATE KEY', body, 'owner@example.org'])
      expect(text).not.toContain(secret);
    expect(text).toContain('order ignored');
    expect(text).toContain('acknowledgement refused');
  });
});
