import { createHmac, randomBytes } from 'node:crypto';
import { type Mac, openSignedMessage, SIGNED_PREFIX_LENGTH, signMessage, topics } from '@ares/protocol';
import { createMac } from '../../../cloud/src/telemetry/device-keys.ts';
import type { Figure, Section } from '../report.ts';
import { median } from '../statistics.ts';

const ROUND_MS = 250;
const ROUNDS = 9;

/** The same bytes under a key object that is kept, as agent and cloud do it, and under the raw key. */
export const mac: Section = async ({ say }) => {
  const secret = randomBytes(32);
  const kept = createMac(secret);
  const raw: Mac = (chunks) => {
    const hmac = createHmac('sha256', secret);
    for (const chunk of chunks) hmac.update(chunk);
    return hmac.digest('hex');
  };
  const topic = topics.componentStatus.build({
    userEmail: 'owner@example.org',
    deviceUuid: '3f0a2f5e-8a0c-4b8e-9c57-3d1f0f5b7a11',
    componentType: 'dht22',
  });
  const figures: Figure[] = [];
  for (const readings of [1, 10]) {
    const body = telemetry(readings);
    const signed = signMessage(topic, body, kept);
    const rest = [Buffer.from(`ARES-HMAC-SHA256-V1\n${topic}\n`), signed.subarray(SIGNED_PREFIX_LENGTH)];
    const what = `${readings} reading${readings === 1 ? '' : 's'}, ${signed.length} B`;
    say(what);
    const compare = (name: string, run: (mac: Mac) => void) => {
      const [value, baseline] = alternate(
        () => run(kept),
        () => run(raw),
      );
      figures.push({
        name: `${name}, ${what}`,
        value: value / 1_000,
        unit: 'k/s',
        baseline: { name: 'raw key', value: baseline / 1_000 },
      });
    };
    compare('the MAC alone', (use) => use(rest));
    compare('sign (JSON, MAC, frame)', (use) => signMessage(topic, body, use));
    compare('verify (MAC, then JSON)', (use) => openSignedMessage(topic, signed, [use]));
  }
  return { figures, remarks: [`Median of ${ROUNDS} rounds of ${ROUND_MS} ms, the two keys in turn.`] };
};

/** Runs per second of each, measured in turn so that a busy machine hurts both alike. */
function alternate(first: () => void, second: () => void): [number, number] {
  const rates: [number[], number[]] = [[], []];
  for (let round = -1; round < ROUNDS; round++) {
    for (const [i, run] of [first, second].entries()) {
      const rate = perSecond(run);
      if (round >= 0) rates[i]!.push(rate);
    }
  }
  return [median(rates[0]), median(rates[1])];
}

function perSecond(run: () => void): number {
  const begin = performance.now();
  let count = 0;
  for (;;) {
    for (let i = 0; i < 200; i++) run();
    count += 200;
    const elapsed = performance.now() - begin;
    if (elapsed >= ROUND_MS) return (count / elapsed) * 1_000;
  }
}

function telemetry(readings: number): object {
  return {
    v: 1,
    kid: 'a1.1',
    assignment: 1,
    bootId: randomBytes(16).toString('hex'),
    bootCount: 12,
    sentAt: 1_790_000_000_000,
    uptimeMs: 3_600_000,
    cpuSerial: '00000000abcdef01',
    hardwareVersion: 'rpi-4',
    hardwareVariant: 'b',
    readings: Array.from({ length: readings }, (_, i) => ({
      seq: 10_000 + i,
      componentId: 17,
      metric: 'temperature',
      value: 21.5,
      measuredAt: 1_790_000_000_000 + i,
    })),
  };
}
