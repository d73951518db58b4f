import { topics } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import { Inbox } from '../../src/operate/inbox.ts';
import { createLogger } from '../../src/ports/logger.ts';
import { settle } from '../support/fake-clock.ts';
import { deviceUuid } from '../support/fake-cloud.ts';

const topic = topics.command.build({ deviceUuid, componentType: 'pump', action: 'on' });
const payload = new Uint8Array();

function makeInbox(verify: () => Promise<never>) {
  let acknowledgements = 0;
  const lines: string[] = [];
  const inbox = new Inbox({
    verify: verify as never,
    deviceUuid,
    assignment: 1,
    logger: createLogger({ write: (line) => lines.push(line), now: () => 0 }),
    events: {
      onAcknowledgement: () => {
        acknowledgements++;
      },
      onCommand: () => undefined,
      onComponentsChanged: () => undefined,
      onWifiChange: () => undefined,
      onReset: () => undefined,
    },
  });
  return { inbox, lines, acknowledgements: () => acknowledgements };
}

describe('the inbox', () => {
  it('CMD-01 holds a bounded number of orders in a flood, one at work, and lets acknowledgements pass', async () => {
    let atWork = 0;
    let most = 0;
    let verified = 0;
    const { inbox, lines, acknowledgements } = makeInbox(async () => {
      most = Math.max(most, ++atWork);
      await Promise.resolve();
      atWork--;
      verified++;
      return { ok: false, problem: 'SIGNATURE', detail: '' } as never;
    });
    for (let i = 0; i < 5_000; i++) inbox.receive({ topic, payload });
    inbox.receive({ topic: topics.telemetryAck.build({ deviceUuid }), payload });
    expect(acknowledgements()).toBe(1);
    while (verified < 200) await settle();
    await settle();
    expect([verified, most]).toEqual([200, 1]);
    inbox.receive({ topic, payload });
    await settle();
    expect(verified).toBe(201);
    expect(inbox.ignored).toBe(5_001);
    // The first ten, then the 100th and the 1,000th.
    expect(lines).toHaveLength(12);
  });

  it('goes on after an order that made the verifier throw', async () => {
    let calls = 0;
    const { inbox } = makeInbox(async () => {
      calls++;
      throw new Error('unexpected');
    });
    inbox.receive({ topic, payload });
    inbox.receive({ topic, payload });
    await settle();
    expect(calls).toBe(2);
  });
});
