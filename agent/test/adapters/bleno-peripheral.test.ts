import { afterEach, describe, expect, it } from 'vitest';
import { createBlenoPeripheral } from '../../src/adapters/bleno-peripheral.ts';
import { RadioError } from '../../src/adapters/bluetooth/library.ts';
import type { PeripheralConnection } from '../../src/ports/ble-peripheral.ts';
import { createStandInBleno } from '../support/stand-in-bleno.ts';

/** Time that flies: what is due next comes at once. */
function flyingClock() {
  let now = 0;
  const due = new Set<{ at: number; run: () => void }>();
  const next = () => {
    const [first] = [...due].sort((one, other) => one.at - other.at);
    if (first === undefined) return;
    due.delete(first);
    now = first.at;
    first.run();
  };
  return {
    monotonicMs: () => now,
    after(delayMs: number, run: () => void) {
      const timer = { at: now + delayMs, run };
      due.add(timer);
      setImmediate(next);
      return () => void due.delete(timer);
    },
  };
}

const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
const bytes = (length: number, value = 1) => new Uint8Array(length).fill(value);

describe.each([
  ['@stoprocent/bleno', true],
  ['@abandonware/bleno', false],
] as const)('the Bluetooth adapter driven by %s', (_library, passesHandles) => {
  let close = async () => {};
  afterEach(() => close());

  function world(options: { channel?: 'user' | 'raw'; info?: Uint8Array } = {}) {
    const bleno = createStandInBleno(passesHandles);
    const connections: PeripheralConnection[] = [];
    const failures: Error[] = [];
    let present = true;
    const peripheral = createBlenoPeripheral({
      load: async () => bleno.loaded,
      name: 'Ares 5A4B',
      clock: flyingClock(),
      prepare: () => ({ index: 0, channel: options.channel ?? 'user' }),
      present: () => present,
    });
    close = () => peripheral.close();
    const opened = peripheral.open({
      info: () => options.info ?? bytes(18),
      connected: (connection) => connections.push(connection),
      failed: (error) => failures.push(error),
    });
    return {
      bleno,
      peripheral,
      opened,
      connections,
      failures,
      unplug() {
        present = false;
      },
      async phone() {
        await opened;
        peripheral.setAdvertising(true);
        const phone = bleno.connect();
        const connection = connections.at(-1);
        if (connection === undefined) throw new Error('no connection');
        return { phone, connection };
      },
    };
  }

  it('advertises the service in 31 bytes, and a name to those who ask', async () => {
    const { bleno, opened, peripheral } = world();
    await opened;
    expect(bleno.advertising).toBeUndefined();
    peripheral.setAdvertising(true);
    const [advertisement, scanResponse] = bleno.advertising ?? [];
    expect(advertisement?.toString('hex')).toBe('020106' + '1107' + '54c9a7649b4028986c4b044c30a3024c');
    expect(scanResponse?.subarray(2).toString()).toBe('Ares 5A4B');
  });

  it('takes the adapter down for itself alone, and waits while the kernel is still busy with it', async () => {
    const { bleno, opened } = world();
    bleno.bindErrors.push(
      new Error('Device or resource busy'),
      Object.assign(new Error('bind'), { code: 'EBUSY' }),
    );
    await opened;
    expect(bleno.asked).toEqual(['bindControl', 'power 0 off', 'bindUser 0', 'bindUser 0', 'bindUser 0']);
  });

  it('switches the adapter on to share it', async () => {
    const { bleno, opened } = world({ channel: 'raw' });
    bleno.up.set(0, false);
    await opened;
    expect(bleno.asked).toEqual(['bindControl', 'power 0 on', 'bindRaw 0']);
  });

  it.each([
    ['Device or resource busy', 'BUSY', 'bleChannel'],
    ['Operation not permitted', 'NOT_ALLOWED', 'CAP_NET_ADMIN'],
    ['Operation not possible due to RF-kill', 'BLOCKED', 'rfkill unblock'],
    ['No such device', 'NOT_WORKING', 'No such device'],
  ])('says what to do when binding ends with "%s"', async (message, code, advice) => {
    const { bleno, opened } = world();
    bleno.bindErrors.push(...Array.from({ length: 100 }, () => new Error(message)));
    await expect(opened).rejects.toMatchObject({ code, message: expect.stringContaining(advice) });
  });

  it('refuses an adapter that has no Bluetooth LE', async () => {
    const { bleno, opened } = world();
    bleno.state.current = 'unsupported';
    await expect(opened).rejects.toMatchObject({ code: 'NOT_WORKING' });
  });

  it('leaves Ctrl-C and the end of the process to the agent', async () => {
    const before = process.listenerCount('SIGINT');
    const { opened } = world();
    await opened;
    expect(process.listenerCount('SIGINT')).toBe(before);
  });

  it('answers a long read in parts of one value', async () => {
    const value = Uint8Array.from({ length: 60 }, (_, index) => index);
    const { phone } = await world({ info: value }).phone();
    const parts = [0, 22, 44].map((offset) => phone.readAt(offset));
    expect(Buffer.concat(parts)).toEqual(Buffer.from(value));
    expect(() => phone.readAt(61)).toThrow('read: 7');
  });

  it('knows the MTU that the phone asked for after it had connected', async () => {
    const { phone, connection } = await world().phone();
    expect(connection.mtuPayload).toBe(20);
    phone.exchangeMtu(256);
    expect(connection.mtuPayload).toBe(253);
  });

  it('keeps no bonding keys: a connection asks nothing of the kernel', async () => {
    const { bleno, opened, phone } = world();
    await opened;
    const before = bleno.asked.length;
    await phone();
    expect(bleno.asked).toHaveLength(before);
  });

  it('BLE-03 refuses prepared writes that are no frame of ours', async () => {
    const { phone, connection } = await world().phone();
    const written: Uint8Array[] = [];
    connection.onWrite((chunk) => written.push(chunk));
    expect(phone.writeAt(bytes(513), 0)).toBe(0x0d);
    expect(phone.writeAt(bytes(10), 5)).toBe(0x07);
    expect(phone.writeAt(bytes(512), 0)).toBe(0);
    expect(phone.writeAt(bytes(3), 0, true)).toBe(0);
    expect(written.map(({ length }) => length)).toEqual([512, 3]);
  });

  it('BLE-03 survives bytes that are no packet: they cost their sender the connection', async () => {
    const { bleno, phone: connect } = world();
    const { phone } = await connect();
    bleno.receive(Buffer.from([2]));
    await settle();
    expect(phone.open).toBe(false);
    expect(bleno.connect().open).toBe(true);
  });

  it('sends no faster than the controller takes', async () => {
    const { bleno, phone: connect } = world();
    const { phone, connection } = await connect();
    bleno.queue.push(...Array.from({ length: 20 }, () => 'packet'));
    let sent = false;
    const sending = connection.notify(bytes(5)).then(() => {
      sent = true;
    });
    await settle();
    expect(sent).toBe(false);
    bleno.queue.length = 0;
    await sending;
    bleno.queue.push(...Array.from({ length: 20 }, () => 'packet'));
    await expect(connection.notify(bytes(5))).rejects.toThrow('does not take');
    phone.unsubscribe();
    bleno.queue.length = 0;
    await expect(connection.notify(bytes(5))).rejects.toThrow('subscribed');
  });

  it('says so when the adapter is unplugged or switched off', async () => {
    const first = world();
    await first.opened;
    first.unplug();
    await settle();
    expect(first.failures[0]).toMatchObject({ code: 'ADAPTER_LOST' });
    await close();
    const second = world();
    await second.opened;
    second.bleno.emit('stateChange', 'poweredOff');
    expect(second.failures[0]).toBeInstanceOf(RadioError);
  });

  it('reports nothing after it was closed, and stops the adapter', async () => {
    const { bleno, peripheral, phone: connect, connections, failures } = world();
    const { phone } = await connect();
    await peripheral.close();
    expect([phone.open, bleno.stopped]).toEqual([false, true]);
    bleno.emit('accept', 'cc:dd', 99);
    bleno.emit('stateChange', 'poweredOff');
    await settle();
    expect([connections.length, failures.length, bleno.advertising]).toEqual([1, 0, undefined]);
  });
});

it('says what is missing where there is no library', async () => {
  const peripheral = createBlenoPeripheral({
    load: async () => {
      throw new RadioError('NO_LIBRARY', 'The Bluetooth library cannot be loaded');
    },
    name: 'Ares',
    clock: flyingClock(),
    prepare: () => ({ index: 0, channel: 'user' }),
    present: () => true,
  });
  const opened = peripheral.open({ info: () => bytes(1), connected: () => {}, failed: () => {} });
  await expect(opened).rejects.toMatchObject({ code: 'NO_LIBRARY' });
  await peripheral.close();
});
