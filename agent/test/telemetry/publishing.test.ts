import { MAX_SIGNED_MESSAGE_BYTES, signMessage, topics } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/ports/logger.ts';
import { openDeviceStore } from '../../src/store/device-store.ts';
import { createMac } from '../../src/telemetry/hmac.ts';
import { settle } from '../support/fake-clock.ts';
import { deviceUuid } from '../support/fake-cloud.ts';
import {
  type Bench,
  changeComponents,
  componentList,
  credentials,
  dht22,
  pump,
  startBench,
} from '../support/session-bench.ts';

const withReadings = (bench: Bench) => bench.cloud.telemetry.filter(({ readings }) => readings.length > 0);
const rows = (bench: Bench) => bench.session.status().outbox.rows;
/** What the device measured since, by `boot:seq`, without what the cloud has. */
const bootOf = (bench: Bench) => bench.session.status().bootId;

describe('pace', () => {
  it('sends the first reading at once, the next ones of a component together after 15 s', async () => {
    const bench = await startBench({ items: [dht22] });
    expect(withReadings(bench)).toHaveLength(1);
    await bench.advance(15_000);
    expect(withReadings(bench)).toHaveLength(1);
    await bench.advance(5_100);
    const sent = withReadings(bench);
    expect(sent).toHaveLength(2);
    // Measured at 5, 10 and 15 s, two values each.
    expect(sent[1]?.readings.length).toBe(6);
  });

  it('sends 50 readings without waiting for the time', async () => {
    const bench = await startBench({
      items: [dht22],
      config: { sampleIntervalMs: 100, batchAfterMs: 3_600_000 },
    });
    // The sensor itself rests for 2 s.
    await bench.advance(200_000);
    const sizes = withReadings(bench).map(({ readings }) => readings.length);
    expect(sizes.slice(1).every((size) => size === 50)).toBe(true);
    expect(sizes.length).toBeGreaterThan(3);
  });

  it('sends a change of state at once', async () => {
    const bench = await startBench({ items: [pump] });
    await bench.cloud.order(bench.cloud.claims({ args: { durationMs: 2_000 } }));
    expect(withReadings(bench).at(-1)?.readings).toMatchObject([{ metric: 'state', value: 1 }]);
    await bench.advance(2_010);
    expect(withReadings(bench).at(-1)?.readings).toMatchObject([{ metric: 'state', value: 0 }]);
  });

  it('sends current readings first when a connection comes up, then what waited', async () => {
    const bench = await startBench({ items: [dht22] });
    bench.broker.drop();
    bench.broker.refuse('NETWORK');
    await bench.advance(1_800_000);
    const waiting = rows(bench);
    expect(waiting).toBeGreaterThan(600);
    const before = bench.cloud.telemetry.length;
    bench.broker.refuse();
    await bench.advance(300_000);
    const sent = bench.cloud.telemetry.slice(before).filter(({ readings }) => readings.length > 0);
    expect(sent[0]!.readings[0]!.seq).toBeGreaterThan(sent[1]!.readings[0]!.seq);
    expect(sent[1]!.readings.length).toBe(500);
    expect(rows(bench)).toBeLessThan(20);
  });
});

describe('a reading', () => {
  /** What the store holds when it is opened anew, as after a kill. */
  const kept = (bench: Bench) => {
    bench.crash();
    const store = openDeviceStore({ dir: bench.dir, logger: silentLogger, clock: bench.clock });
    const seqs = store
      .openOutbox(1)
      .read({ after: { order: 0, seq: 0 }, limit: 10_000 })
      .map(({ reading }) => reading.seq);
    store.close();
    return seqs;
  };

  it('is on the disk before it is sent, whatever made it due', async () => {
    const bench = await startBench({ items: [dht22, pump] });
    bench.cloud.answering = false;
    const published: number[] = [];
    const missing: number[] = [];
    bench.broker.onPublish(({ payload }) => {
      const { readings = [] } = JSON.parse(Buffer.from(payload).toString()) as {
        readings?: { seq: number }[];
      };
      const there = bench.store.openOutbox(1).read({ after: { order: 0, seq: 0 }, limit: 10_000 });
      for (const { seq } of readings) {
        published.push(seq);
        if (!there.some(({ reading }) => reading.seq === seq)) missing.push(seq);
      }
    });
    await bench.advance(22_000);
    await bench.cloud.order(bench.cloud.claims({ args: { durationMs: 2_000 } }));
    bench.broker.drop();
    await bench.advance(90_000);
    expect(new Set(published).size).toBeGreaterThan(10);
    expect(missing).toEqual([]);
    const there = kept(bench);
    expect(published.filter((seq) => !there.includes(seq))).toEqual([]);
  });

  it('waits for no more than a minute to be stored, however seldom it is sent', async () => {
    const config = { batchAfterMs: 3_600_000, batchReadings: 500 };
    const bench = await startBench({ items: [dht22], config });
    await bench.advance(15 * 60_000);
    expect(withReadings(bench)).toHaveLength(1);
    // Two values each 5 s; the last minute of them may be lost.
    expect(kept(bench).length).toBeGreaterThan(14 * 60 * (2 / 5) - 10);
  });

  it('is stored at an orderly end, also when a driver does not stop', async () => {
    const bench = await startBench({ items: [] });
    const { load } = bench.drivers.registry;
    bench.drivers.registry = {
      ...bench.drivers.registry,
      load: async (type) => {
        const driver = await load(type);
        const create = (context: never) =>
          Object.assign(driver.create(context), { stop: () => new Promise(() => undefined) });
        return { ...driver, create } as unknown as Awaited<ReturnType<typeof load>>;
      },
    };
    await changeComponents(bench, componentList([dht22], 2));
    await bench.advance(6_000);
    bench.cloud.answering = false;
    await bench.advance(5_000);
    const before = rows(bench);
    void bench.session.stop('a test');
    await settle();
    expect(bench.store.openOutbox(1).rows).toBeGreaterThan(before);
    await bench.advance(10_000);
  });
});

describe('acknowledgement', () => {
  it('deletes nothing before it, and exactly what it names after', async () => {
    const bench = await startBench({ items: [dht22] });
    bench.cloud.answering = false;
    await bench.advance(20_200);
    const seqs = withReadings(bench)
      .at(-1)!
      .readings.map(({ seq }) => seq);
    const before = rows(bench);
    bench.cloud.acknowledge({ bootId: bootOf(bench), stored: [[seqs[0]!, seqs[2]!]] });
    expect(rows(bench)).toBe(before - 3);
    bench.cloud.acknowledge({
      bootId: bootOf(bench),
      rejected: [{ seq: seqs[3]!, code: 'RANGE', final: true }],
    });
    expect(bench.session.status().outbox).toMatchObject({ rows: before - 4, deadLetters: 1 });
  });

  it('TEL-12 sends what was refused, but not finally, again later, and nothing else waits for it', async () => {
    const bench = await startBench({ items: [dht22] });
    bench.cloud.answering = false;
    await bench.advance(20_200);
    const message = withReadings(bench).at(-1)!;
    const [bad, ...good] = message.readings.map(({ seq }) => seq);
    bench.cloud.acknowledge({
      bootId: message.bootId,
      stored: [[good[0]!, good.at(-1)!]],
      rejected: [{ seq: bad!, code: 'NOT_STORABLE', final: false }],
    });
    bench.cloud.answering = true;
    const before = withReadings(bench).length;
    await bench.advance(90_000);
    const later = withReadings(bench)
      .slice(before)
      .flatMap(({ readings }) => readings.map(({ seq }) => seq));
    expect(later).toContain(bad);
    expect(later.filter((seq) => seq === bad)).toHaveLength(1);
    expect(later.some((seq) => good.includes(seq))).toBe(false);
  });

  it('TEL-01 TEL-02 is ignored unless it is signed for this device, whatever it says', async () => {
    const bench = await startBench({ items: [dht22] });
    bench.cloud.answering = false;
    await bench.advance(20_200);
    const before = rows(bench);
    const topic = topics.telemetryAck.build({ deviceUuid });
    const ack = {
      v: 1,
      kid: 'a1.1',
      bootId: bootOf(bench),
      stored: [[1, 1_000]],
      rejected: [],
      cloudTime: bench.clock.now(),
    };
    const good = createMac(credentials.sharedSecret);
    const signed = Buffer.from(signMessage(topic, ack, good));
    const flipped = Buffer.from(signed);
    flipped[signed.length - 5]! ^= 1;
    for (const payload of [
      Buffer.from(JSON.stringify(ack)),
      signMessage(topic, ack, createMac(Buffer.alloc(32, 9).toString('base64url'))),
      signMessage(
        topics.telemetryAck.build({ deviceUuid: '11111111-2222-4333-8444-555555555555' }),
        ack,
        good,
      ),
      signMessage(topic, { ...ack, extra: true }, good),
      flipped,
      Buffer.alloc(0),
      Buffer.alloc(70_000, 0x20),
    ])
      bench.broker.deliver(topic, payload);
    expect(rows(bench)).toBe(before);
    bench.broker.deliver(topic, signed);
    expect(rows(bench)).toBe(0);
  });

  it('NET-07 one lost acknowledgement heals by itself', async () => {
    const bench = await startBench({ items: [dht22] });
    bench.cloud.answering = false;
    await bench.advance(20_200);
    bench.cloud.answering = true;
    await bench.advance(60_000);
    expect(rows(bench)).toBeLessThan(10);
    expect(bench.session.status().connection.state).toBe('connected');
  });
});

describe('without an answer', () => {
  it('sends again after 30 s, then less and less often, with a fresh time and at most 4 messages at once', async () => {
    const bench = await startBench({ items: [dht22], config: { batchAfterMs: 1_000 } });
    bench.cloud.answering = false;
    let first = withReadings(bench).length;
    await bench.advance(29_000);
    expect(withReadings(bench).length - first).toBe(4);
    const sentAt = withReadings(bench)[first]!.sentAt;
    await bench.advance(8_000);
    const again = withReadings(bench)[first + 4]!;
    expect(again.sentAt! - sentAt!).toBeGreaterThanOrEqual(30_000);
    first = withReadings(bench).length;
    await bench.advance(3_600_000);
    const perHour = withReadings(bench).length - first;
    expect(perHour).toBeGreaterThan(4);
    expect(perHour).toBeLessThan(80);
  });

  it('says that nothing is acknowledged any more, so that the standing is asked for', async () => {
    const bench = await startBench({ items: [dht22] });
    const refused: unknown[] = [];
    bench.session.on('refused', (event) => refused.push(event));
    bench.cloud.answering = false;
    await bench.advance(100_000);
    expect(refused).toEqual([]);
    await bench.advance(200_000);
    expect(refused).toContainEqual(expect.objectContaining({ why: 'UNANSWERED' }));
  });

  it('keeps a place for live readings while the backlog is not answered', async () => {
    const bench = await startBench({ items: [dht22, pump], config: { maxUnacknowledged: 2 } });
    bench.broker.drop();
    bench.broker.refuse('NETWORK');
    await bench.advance(1_800_000);
    bench.cloud.answering = false;
    bench.broker.refuse();
    while (bench.session.status().connection.state !== 'connected') await bench.advance(1_000);
    // What was measured last goes first and is answered; then the backlog takes what it may.
    for (const { bootId, readings } of withReadings(bench).filter((one) => one.readings.length < 100))
      bench.cloud.acknowledge({ bootId, stored: readings.map(({ seq }) => [seq, seq]) });
    await bench.advance(0);
    const before = withReadings(bench).length;
    await bench.cloud.order(bench.cloud.claims());
    expect(withReadings(bench).slice(before)).toMatchObject([{ readings: [{ metric: 'state', value: 1 }] }]);
  });
});

describe('a long time without the cloud', () => {
  it('FSP-06 72 hours at one reading a second go out in order, each once, beside what is measured meanwhile', {
    timeout: 60_000,
  }, async () => {
    const bench = await startBench({ items: [dht22] });
    bench.broker.drop();
    bench.broker.refuse('NETWORK');
    const outbox = bench.store.openOutbox(1);
    const reading = {
      componentId: 1,
      componentType: 'dht22',
      metric: 'humidity',
      value: 1,
      quality: 'good',
    } as const;
    for (let i = 0; i < 540; i++)
      outbox.insert(
        Array.from({ length: 480 }, () => reading),
        {
          time: { measuredAt: bench.clock.now() },
          uptimeMs: 1_000 + i,
        },
      );
    const before = bench.cloud.telemetry.length;
    bench.broker.refuse();
    await bench.advance(60_000);
    expect(rows(bench)).toBeLessThan(10);
    expect(bench.cloud.stored.size).toBeGreaterThanOrEqual(72 * 3_600);
    const backlog = bench.cloud.telemetry.slice(before).filter(({ readings }) => readings.length === 500);
    const seqs = backlog.flatMap(({ readings }) => readings.map(({ seq }) => seq));
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    const all = bench.cloud.telemetry.flatMap(({ readings }) => readings.map(({ seq }) => seq));
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('what is sent', () => {
  it('never exceeds 64 KiB, whatever waits', async () => {
    const bench = await startBench({ items: [dht22] });
    bench.broker.drop();
    bench.broker.refuse('NETWORK');
    await bench.advance(3_600_000);
    bench.broker.refuse();
    await bench.advance(300_000);
    const sizes = bench.broker.published.map(({ payload }) => payload.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_SIGNED_MESSAGE_BYTES);
    expect(Math.max(...sizes)).toBeGreaterThan(30_000);
  });

  it("sends an older boot's readings under that boot, after it: each once", async () => {
    const bench = await startBench({ items: [dht22] });
    bench.cloud.answering = false;
    await bench.advance(60_000);
    const old = bootOf(bench);
    const oldRows = rows(bench);
    bench.crash();
    bench.cloud.answering = true;
    await bench.restart();
    await bench.advance(60_000);
    expect(bootOf(bench)).not.toBe(old);
    const stored = [...bench.cloud.stored.keys()].filter((key) => key.startsWith(old));
    expect(stored.length).toBeGreaterThanOrEqual(oldRows);
    const messages = withReadings(bench).filter(({ bootId }) => bootId === old);
    expect(new Set(messages.map(({ bootCount }) => bootCount))).toEqual(new Set([1]));
    expect(messages.at(-1)?.uptimeMs).toBeLessThanOrEqual(60_000);
    expect(bench.cloud.connection.at(-1)).toMatchObject({ bootCount: 2, bootId: bootOf(bench) });
  });

  it('puts off a boot that the cloud does not take today, and nothing else', async () => {
    const bench = await startBench({ items: [dht22] });
    bench.cloud.answering = false;
    await bench.advance(60_000);
    const old = bootOf(bench);
    bench.crash();
    await bench.restart();
    await bench.advance(100);
    for (const { bootId, readings } of withReadings(bench).filter((one) => one.bootId === old))
      bench.cloud.acknowledge({
        bootId,
        rejected: readings.map(({ seq }) => ({ seq, code: 'TOO_MANY_BOOTS', final: false })),
      });
    const before = withReadings(bench).length;
    await bench.advance(120_000);
    expect(
      withReadings(bench)
        .slice(before)
        .map(({ bootId }) => bootId),
    ).not.toContain(old);
    expect(withReadings(bench).length).toBeGreaterThan(before);
    bench.cloud.answering = true;
    await bench.advance(3_600_000);
    expect(bench.session.status().outbox).toMatchObject({ deadLetters: 0 });
    expect(rows(bench)).toBeLessThan(20);
  });

  it('TEL-10 sends less and less while it is quarantined, and all of it afterwards', async () => {
    const bench = await startBench({ items: [dht22] });
    bench.cloud.answering = false;
    let quarantined = true;
    bench.broker.onPublish(() => {
      const { bootId, readings = [] } = bench.cloud.telemetry.at(-1) ?? {};
      if (!quarantined || bootId === undefined || readings.length === 0) return;
      const rejected = readings.map(({ seq }) => ({ seq, code: 'QUARANTINED' as const, final: false }));
      queueMicrotask(() => bench.cloud.acknowledge({ bootId, rejected }));
    });
    const before = withReadings(bench).length;
    await bench.advance(3_600_000);
    // Measured every 5 s for an hour.
    expect(rows(bench)).toBeGreaterThan(1_400);
    expect(withReadings(bench).length - before).toBeLessThan(60);
    quarantined = false;
    bench.cloud.answering = true;
    await bench.advance(900_000);
    expect(rows(bench)).toBeLessThan(20);
  });

  it('uses the present e-mail address and secret for what was measured before', async () => {
    const bench = await startBench({ items: [dht22] });
    bench.broker.drop();
    bench.broker.refuse('NETWORK');
    await bench.advance(120_000);
    bench.broker.refuse();
    const before = bench.cloud.telemetry.length;
    bench.session.replaceCredentials({ ...credentials, userEmail: 'new+owner/1@example.org' });
    await bench.advance(1_000);
    const topicsSent = bench.cloud.telemetry.slice(before).map(({ topic }) => topic);
    expect(topicsSent.length).toBeGreaterThan(0);
    expect(new Set(topicsSent)).toEqual(
      new Set([`telemetry/new%2Bowner%2F1@example.org/${deviceUuid}/dht22/status`]),
    );
    expect(rows(bench)).toBeLessThan(10);
  });

  it('CMD-12 counts from the start of the boot until the clock is trusted, and leaves the time of sending open', async () => {
    const bench = await startBench({ items: [dht22], synchronised: false });
    await bench.advance(30_000);
    const untrusted = withReadings(bench);
    expect(untrusted.every(({ sentAt }) => sentAt === null)).toBe(true);
    expect(untrusted.flatMap(({ readings }) => readings).every((one) => one.measuredAt === undefined)).toBe(
      true,
    );
    bench.clock.setSynchronised(true);
    await bench.advance(30_000);
    const { sentAt, readings } = withReadings(bench).at(-1)!;
    expect(sentAt).not.toBeNull();
    expect(readings.at(-1)).toHaveProperty('measuredAt');
    expect(readings.at(-1)).not.toHaveProperty('uptimeMs');
  });
});
