import { describe, expect, it } from 'vitest';
import type { ToBleChild } from '../../src/ports/ble-child.ts';
import type { ChildJobs } from '../../src/ports/child-jobs.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { BleRefusal, createBleWindow } from '../../src/provisioning/ble-window.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

function world() {
  const children: { told: ToBleChild[]; say(message: unknown): void; die(): void; alive: boolean }[] = [];
  const jobs = {
    openBle: () => {
      const closed = Promise.withResolvers<Error | undefined>();
      let listener: (message: unknown) => void = () => {};
      const child = {
        told: [] as ToBleChild[],
        alive: true,
        say: (message: unknown) => listener(message),
        die: () => {
          child.alive = false;
          closed.resolve(new Error('killed'));
        },
      };
      children.push(child);
      return {
        send: (message: unknown) => {
          child.told.push(message as ToBleChild);
          if ((message as ToBleChild).type === 'finish') child.die();
        },
        onMessage: (next: (message: unknown) => void) => {
          listener = next;
        },
        closed: closed.promise,
        close: async () => child.die(),
      };
    },
  } as unknown as ChildJobs;
  const clock = createFakeClock();
  const handled: string[] = [];
  const window = createBleWindow({
    jobs,
    input: { radio: { kind: 'simulated', socketPath: '' }, deviceUuid: '', setupCodeHex: '' },
    clock,
    logger: silentLogger,
    state: 'provisioned',
    handle: async (request) => {
      handled.push(request.type);
      if (request.type === 'status') return { type: 'status', state: 'provisioned', steps: [] };
      throw request.type === 'identity'
        ? new BleRefusal('NOT_ALLOWED_IN_STATE', 'not now')
        : new Error('secret detail');
    },
  });
  return { window, clock, children, handled, alive: () => children.filter(({ alive }) => alive).length };
}

describe('the Bluetooth window', () => {
  const provision = {
    type: 'provision',
    apiUrl: 'https://cloud.example',
    claimId: 'c',
    nonce: 'n'.repeat(22),
    phoneTime: 1,
  };

  it.each([
    null,
    'open',
    { type: 'opened' },
    { type: 'request', id: '1', request: { type: 'status' } },
    { type: 'request', id: 1, request: { type: 'status', more: true } },
    { type: 'request', id: 1, request: { ...provision, apiUrl: 'file:///etc/passwd' } },
    { type: 'request', id: 1, request: { ...provision, wifi: { ssid: 'a\nb', password: 'tomatoes' } } },
    { type: 'unavailable', detail: 'x'.repeat(5_000) },
  ])('BLE-03 believes no Bluetooth process that was taken over: %j', async (said) => {
    const { window, clock, children, handled } = world();
    window.open(900_000);
    await settle();
    children[0]!.say(said);
    await settle();
    expect(children[0]!.alive).toBe(false);
    expect(handled).toEqual([]);
    // It is started anew, as after any end of it.
    await clock.advance(60_000);
    await settle();
    expect(children.length).toBeGreaterThan(1);
  });

  it('BLE-12 closes fifteen minutes after the press of the button', async () => {
    const { window, clock, alive } = world();
    window.open(900_000);
    await settle();
    await clock.advance(899_000);
    expect([window.isOpen, alive()]).toEqual([true, 1]);
    await clock.advance(2_000);
    await settle();
    expect([window.isOpen, alive()]).toEqual([false, 0]);
  });

  it('is kept open by a second press, and not shortened by a shorter one', async () => {
    const { window, clock, children } = world();
    window.open(900_000);
    await settle();
    await clock.advance(600_000);
    window.open(900_000);
    window.open(1_000);
    await clock.advance(800_000);
    expect(window.isOpen).toBe(true);
    await clock.advance(200_000);
    await settle();
    expect(window.isOpen).toBe(false);
    expect(children).toHaveLength(1);
  });

  it('starts a radio again that died, and tells it the state first', async () => {
    const { window, clock, children, alive } = world();
    window.open();
    await settle();
    window.setState('recovery-needed');
    children[0]?.die();
    await settle();
    await clock.advance(5_000);
    await settle();
    expect(alive()).toBe(1);
    expect(children[1]?.told).toEqual([{ type: 'state', state: 'recovery-needed' }]);
    await window.close();
    await clock.advance(60_000);
    expect(alive()).toBe(0);
  });

  it('says why phones find nothing until the radio works, and tries ever less often', async () => {
    const { window, clock, children } = world();
    window.open();
    await settle();
    for (const pauseMs of [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
      children.at(-1)?.say({ type: 'unavailable', detail: 'Bluetooth is blocked by rfkill.' });
      children.at(-1)?.die();
      await settle();
      expect(window.problem).toBe('Bluetooth is blocked by rfkill.');
      const before = children.length;
      await clock.advance(pauseMs - 1);
      expect(children).toHaveLength(before);
      await clock.advance(1);
      await settle();
      expect(children).toHaveLength(before + 1);
    }
    children.at(-1)?.say({ type: 'open' });
    expect(window.problem).toBeUndefined();
    children.at(-1)?.die();
    await settle();
    expect(window.problem).toMatch(/ended by itself/);
    await window.close();
    expect(window.problem).toBeUndefined();
  });

  it('answers what it can, names what it refuses, and tells nobody why it failed', async () => {
    const { window, children } = world();
    window.open();
    await settle();
    for (const [id, type] of [
      [1, 'status'],
      [2, 'identity'],
      [3, 'wifi-scan'],
    ] as const) {
      children[0]?.say({ type: 'request', id, request: { type } });
    }
    await settle();
    expect(children[0]?.told.slice(1)).toEqual([
      { type: 'answer', id: 1, response: { type: 'status', state: 'provisioned', steps: [] } },
      { type: 'refusal', id: 2, code: 'NOT_ALLOWED_IN_STATE', detail: 'not now' },
      { type: 'refusal', id: 3, code: 'INTERNAL', detail: 'The device could not do that; its log says why.' },
    ]);
  });
});
