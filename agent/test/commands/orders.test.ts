import { createHmac, randomUUID } from 'node:crypto';
import { topics } from '@ares/protocol';
import { generateKeyPair } from 'jose';
import { describe, expect, it } from 'vitest';
import { commandKeys, deviceUuid, signOrder } from '../support/fake-cloud.ts';
import { type Bench, startBench } from '../support/session-bench.ts';

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Nothing moved, nothing was recorded, nobody was answered. */
function expectIgnored(bench: Bench, commandId: string): void {
  expect(bench.guard.calls.filter((call) => call.startsWith('arm'))).toEqual([]);
  expect(bench.pumpOn()).toBe(false);
  expect(bench.cloud.results).toEqual([]);
  expect(bench.store.journal.find(commandId)).toBeUndefined();
}

describe('refusing orders that are not authentic', () => {
  it('CMD-01 ignores what is not signed, or signed by a stranger', async () => {
    const bench = await startBench();
    const claims = bench.cloud.claims();
    const stranger = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
    for (const payload of ['', 'pump on', JSON.stringify(claims), 'a.b.c', '\u0000'.repeat(9_000)])
      bench.broker.deliver(claims.topic, payload);
    bench.broker.deliver(claims.topic, Uint8Array.from([0xff, 0xfe]));
    await bench.cloud.order(claims, { key: stranger.privateKey });
    expectIgnored(bench, claims.jti);
  });

  it('CMD-02 ignores alg none, HS256 with the public key, another kid, and headers that bring a key', async () => {
    const bench = await startBench();
    const claims = bench.cloud.claims();
    const body = base64url(claims);
    const none = `${base64url({ alg: 'none', typ: 'command+jwt', kid: 'orders-1' })}.${body}.`;
    const head = `${base64url({ alg: 'HS256', typ: 'command+jwt', kid: 'orders-1' })}.${body}`;
    const publicBytes = Buffer.from(commandKeys.keys[0].x, 'base64url');
    const confused = `${head}.${createHmac('sha256', publicBytes).update(head).digest('base64url')}`;
    for (const token of [none, confused]) bench.broker.deliver(claims.topic, token);
    const own = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
    await bench.cloud.order(claims, { kid: 'orders-2' });
    await bench.cloud.order(claims, { key: own.privateKey, header: { jwk: commandKeys.keys[0] } });
    for (const header of [
      { jwk: commandKeys.keys[0] },
      { jku: 'https://attacker.example/keys' },
      { x5u: 'https://attacker.example/cert' },
      { 'urn:unknown': 1 },
    ])
      await bench.cloud.order(claims, { header });
    const { jti } = claims;
    // `crit` is refused by the verifier whatever it names; a signer will not even make it for unknown names.
    const [protectedHeader = '', ...rest] = (await signOrder(claims)).split('.');
    const critical = { ...JSON.parse(Buffer.from(protectedHeader, 'base64url').toString()), crit: ['exp'] };
    bench.broker.deliver(claims.topic, [base64url(critical), ...rest].join('.'));
    await bench.cloud.allOrdersRead();
    expectIgnored(bench, jti);
  });

  it('CMD-02 ignores any single flipped bit of a token', async () => {
    const bench = await startBench();
    const claims = bench.cloud.claims({ args: {} });
    const token = Buffer.from(await signOrder(claims));
    // Every 7th bit: the whole token takes seconds and shows the same.
    for (let bit = 0; bit < token.length * 8; bit += 7) {
      const forged = Buffer.from(token);
      forged[bit >> 3]! ^= 1 << (bit & 7);
      // Unused bits of the last base64url digit are no part of the signature's bytes.
      if (bit >> 3 === token.length - 1) continue;
      bench.broker.deliver(claims.topic, forged);
      if (bit % 700 === 0) await bench.cloud.allOrdersRead();
    }
    await bench.cloud.allOrdersRead();
    expectIgnored(bench, claims.jti);
  });

  it('CMD-03 ignores a valid command for another device', async () => {
    const bench = await startBench();
    const claims = bench.cloud.claims({ aud: '11111111-2222-4333-8444-555555555555' });
    await bench.cloud.order(claims);
    expectIgnored(bench, claims.jti);
  });

  it('CMD-13 ignores a valid order on another topic, for another component than its topic, or of another type', async () => {
    const bench = await startBench();
    const led = bench.cloud.claims({ componentType: 'led' });
    const pumpTopic = topics.command.build({ deviceUuid, componentType: 'pump', action: 'on' });
    await bench.cloud.order(led, { topic: pumpTopic });
    const crooked = bench.cloud.claims({
      topic: topics.command.build({ deviceUuid, componentType: 'led', action: 'on' }),
    });
    await bench.cloud.order(crooked);
    const mistyped = bench.cloud.claims();
    for (const typ of [
      'reset+jwt',
      'components+jwt',
      'standing+jwt',
      'COMMAND+JWT',
      'application/command+jwt',
      'JWT',
    ])
      await bench.cloud.order(mistyped, { typ });
    for (const { jti } of [led, crooked, mistyped]) expectIgnored(bench, jti);
  });

  it("CMD-14 ignores orders of a former or later owner's assignment", async () => {
    const bench = await startBench({ credentials: { assignment: 2, kid: 'a2.1' } });
    for (const asg of [1, 3]) {
      const claims = bench.cloud.claims({ asg });
      await bench.cloud.order(claims);
      expectIgnored(bench, claims.jti);
    }
  });

  it('CMD-14 FSP-09 obeys a reset order only of its own assignment, device and topic', async () => {
    const bench = await startBench();
    const seen: unknown[] = [];
    bench.session.on('reset-order', (order) => seen.push(order));
    const topic = topics.systemReset.build({ deviceUuid });
    const claims = { aud: deviceUuid, asg: 1, topic, jti: randomUUID(), iat: bench.clock.now() / 1_000 };
    for (const wrong of [{ asg: 2 }, { aud: randomUUID() }, { topic: `${topic}/x` }, { exp: 1 }])
      bench.broker.deliver(topic, await signOrder({ ...claims, ...wrong }, { typ: 'reset+jwt' }));
    bench.broker.deliver(topic, await signOrder(claims));
    bench.broker.deliver(topic, JSON.stringify(claims));
    await bench.cloud.allOrdersRead();
    expect(seen).toEqual([]);
    const token = await signOrder(claims, { typ: 'reset+jwt' });
    bench.broker.deliver(topic, token);
    await bench.cloud.allOrdersRead();
    expect(seen).toEqual([{ claims, token }]);
  });

  it('CMD-01 reports how many it ignored, with the next readings and in each birth', async () => {
    const bench = await startBench();
    expect(bench.cloud.telemetry.every(({ counters }) => counters === undefined)).toBe(true);
    const claims = bench.cloud.claims();
    for (let i = 0; i < 3; i++) bench.broker.deliver(claims.topic, 'no.order.atall');
    await bench.cloud.allOrdersRead();
    await bench.advance(30_000);
    const counters = { droppedReadings: 0, ignoredOrders: 3 };
    expect(bench.cloud.telemetry.at(-1)).toMatchObject({ counters });
    bench.broker.drop();
    await bench.advance(30_000);
    expect(bench.cloud.connection.at(-1)).toMatchObject({ event: 'online', counters });
  });

  it('CMD-01 survives a flood of rubbish and obeys the next order', async () => {
    const bench = await startBench();
    const claims = bench.cloud.claims();
    for (let i = 0; i < 5_000; i++) bench.broker.deliver(claims.topic, 'x'.repeat(100));
    await bench.advance(0);
    await bench.cloud.allOrdersRead().catch(() => bench.cloud.allOrdersRead());
    await bench.cloud.order(claims);
    expect(bench.pumpOn()).toBe(true);
  });
});
