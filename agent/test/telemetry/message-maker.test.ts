import { MAX_SIGNED_MESSAGE_BYTES, type Reading } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import { createTrustedClock } from '../../src/clock/trusted-clock.ts';
import { createMac } from '../../src/telemetry/hmac.ts';
import { MessageMaker } from '../../src/telemetry/message-maker.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { deviceUuid, sharedSecret } from '../support/fake-cloud.ts';
import { credentials } from '../support/session-bench.ts';

const longest = (seq: number): Reading => ({
  seq: 9_000_000_000_000 + seq,
  componentId: 2_147_483_647,
  metric: 'm'.repeat(40),
  value: -1.234_567_890_123_456_7e-100,
  measuredAt: 8_640_000_000_000_000,
  quality: 'suspect',
});

describe('a message of readings', () => {
  it('holds as many of the longest readings as fit in 64 KiB, and of short ones 500', () => {
    const maker = new MessageMaker({
      identity: {
        deviceUuid,
        cpuSerial: 'f'.repeat(32),
        hardwareVersion: 'v'.repeat(40),
        hardwareVariant: 'v',
      },
      boot: { bootId: 'f'.repeat(32), bootCount: 2_147_483_647 },
      clock: createTrustedClock(createFakeClock()),
      credentials: { ...credentials, hardwareVersion: 'v'.repeat(40), hardwareVariant: 'v'.repeat(40) },
      mac: createMac(sharedSecret),
      counters: () => ({ droppedReadings: Number.MAX_SAFE_INTEGER, ignoredOrders: Number.MAX_SAFE_INTEGER }),
    });
    const readings = Array.from({ length: 600 }, (_, i) => longest(i));
    const fitting = MessageMaker.fitting(readings);
    const boot = { bootId: 'a'.repeat(32), bootCount: 1, lastUptimeMs: 1 };
    const size = (count: number) =>
      maker.readings(boot, 'c'.repeat(40), readings.slice(0, count)).payload.length;
    expect(size(fitting)).toBeLessThanOrEqual(MAX_SIGNED_MESSAGE_BYTES);
    expect(size(fitting + 20)).toBeGreaterThan(MAX_SIGNED_MESSAGE_BYTES);
    const short = Array.from({ length: 600 }, (_, i) => ({
      ...longest(0),
      seq: i + 1,
      metric: 't',
      value: 1,
    }));
    expect(MessageMaker.fitting(short)).toBe(500);
    expect(MessageMaker.fitting(short.slice(0, 7))).toBe(7);
  });
});
