import { describe, expect, it } from 'vitest';
import {
  BleError,
  type BleResponse,
  type DeviceErrorCode,
  encodeFrame,
  HANDSHAKE_BAD_FRAME,
  HANDSHAKE_REFUSED,
  isRequestAllowed,
  MAX_MESSAGE_BYTES,
} from '../../src/ble/index.ts';
import { answerAll, FakeDevice, hex, RawPhone, SETUP_CODE, settle, UUID, unhex, utf8 } from './support.ts';

const status = (id = 1) => ({ v: 1, id, type: 'status' });
const provision = {
  v: 1,
  id: 1,
  type: 'provision',
  wifi: { ssid: 'Greenhouse', password: 'tomatoes!' },
  apiUrl: 'https://cloud.example',
  claimId: 'c1',
  nonce: 'n'.repeat(22),
  phoneTime: 1_790_000_000_000,
};

async function confirmed(device = new FakeDevice()): Promise<RawPhone> {
  const phone = new RawPhone(device);
  await phone.shakeHands();
  return phone;
}

describe('refusing an app without the setup code', () => {
  it.each([
    ['a wrong setup code', { setupCode: new Uint8Array(16) }],
    ['the code of this device for another one', { uuid: UUID.replace('0', '1') }],
  ])('BLE-01 fails %s at the first message and says so', async (_, change) => {
    const device = new FakeDevice();
    const phone = new RawPhone(device);
    await phone.shakeHands(change);
    expect(phone.received).toEqual([Uint8Array.of(HANDSHAKE_REFUSED)]);
    expect(device.closed).toEqual(['SETUP_CODE_REFUSED']);
    expect(device.confirmations).toBe(0);
  });

  it('BLE-01 takes nothing after the refusal, not even the right code', async () => {
    const device = new FakeDevice();
    const phone = new RawPhone(device);
    await phone.shakeHands({ setupCode: new Uint8Array(16) });
    await phone.shakeHands();
    expect(phone.received).toHaveLength(1);
    expect(device.closed).toHaveLength(1);
  });

  it('BLE-09 takes a provision in clear, before any session, for a wrong first message', async () => {
    const device = new FakeDevice();
    await new RawPhone(device).sendFrame(utf8(JSON.stringify(provision)));
    expect(device.closed).toEqual(['SETUP_CODE_REFUSED']);
    expect(device.handled).toEqual([]);
  });

  it('refuses a first message that carries something, because it could be a recording', async () => {
    const device = new FakeDevice();
    await new RawPhone(device).shakeHands({ payload: utf8(JSON.stringify(status())) });
    expect(device.closed).toEqual(['SETUP_CODE_REFUSED']);
  });

  it('BLE-04 closes on a key of low order, after which the next session works', async () => {
    const device = new FakeDevice();
    const phone = new RawPhone(device);
    // Known code, all-zero public key; made for this uuid and setup code.
    await phone.sendFrame(unhex(LOW_ORDER_MESSAGE_1));
    expect(device.closed).toEqual(['LOW_ORDER_KEY']);
    expect((await (await confirmed()).ask(status()))[0]).toMatchObject({ type: 'status' });
  });
});

describe('BLE-06 replaying a recorded session', () => {
  it('fails, because the device has a fresh key each time', async () => {
    const recorded: Uint8Array[] = [];
    const first = new FakeDevice({ seed: 1 });
    const receive = first.session.receive.bind(first.session);
    first.session.receive = (chunk) => {
      recorded.push(chunk);
      receive(chunk);
    };
    const phone = await confirmed(first);
    await phone.ask(provision);
    expect(first.handled).toHaveLength(1);

    const second = new FakeDevice({ seed: 2 });
    for (const chunk of recorded) second.session.receive(chunk);
    await settle();
    expect(second.handled).toEqual([]);
    expect(second.confirmations).toBe(0);
    expect(second.closed).toEqual(['SESSION_BROKEN']);
  });

  it('confirms nothing by the first message alone', async () => {
    const device = new FakeDevice();
    await confirmed(device);
    expect(device.session.confirmed).toBe(false);
    expect(device.confirmations).toBe(0);
  });

  it('ends a session in which a message comes a second time', async () => {
    const device = new FakeDevice();
    const phone = await confirmed(device);
    const sealed = phone.seal(utf8(JSON.stringify(status())));
    await phone.sendFrame(sealed);
    await phone.sendFrame(sealed);
    expect(device.handled).toHaveLength(1);
    expect(device.closed).toEqual(['SESSION_BROKEN']);
  });
});

describe('BLE-07 frames that are none', () => {
  it('are answered once before the first message, and the session still opens', async () => {
    const device = new FakeDevice();
    const phone = new RawPhone(device);
    await phone.write(Uint8Array.of(0, 0, 0, 0, 0, 0));
    expect(hex(device.sent)).toBe(`0001${hex(Uint8Array.of(HANDSHAKE_BAD_FRAME))}`);
    expect(device.closed).toEqual([]);
  });

  it('are answered inside a session, which goes on', async () => {
    const phone = await confirmed();
    await phone.ask(status(1));
    await phone.write(Uint8Array.of(0, 0));
    expect(phone.answers()).toMatchObject([{ id: 0, type: 'error', code: 'FRAME_EMPTY' }]);
    const size = MAX_MESSAGE_BYTES + 1;
    await phone.write(Uint8Array.from([size >> 8, size & 255, ...new Uint8Array(size)]));
    expect(phone.answers()).toMatchObject([{ id: 0, type: 'error', code: 'FRAME_TOO_LARGE' }]);
    expect(await phone.ask(status(2))).toMatchObject([{ id: 2, type: 'status' }]);
  });

  it('cost a device that nobody has proved himself to nothing', async () => {
    const device = new FakeDevice();
    const phone = await confirmed(device);
    const before = device.notified.length;
    await phone.write(new Uint8Array(1_000));
    expect(device.notified).toHaveLength(before);
  });

  it('may share a write with a good one', async () => {
    const device = new FakeDevice();
    const phone = await confirmed(device);
    const [first, second] = [status(1), status(2)].map((request) =>
      phone.seal(utf8(JSON.stringify(request))),
    );
    const bytes = [first, second].flatMap((sealed) => [...(encodeFrame(sealed!, 512)[0] ?? [])]);
    device.session.receive(Uint8Array.from(bytes));
    await settle();
    expect(
      phone
        .answers()
        .map((answer) => answer.id)
        .sort(),
    ).toEqual([1, 2]);
  });
});

describe('BLE-08 requests that are nonsense', () => {
  it('are answered with a code, and the session goes on', async () => {
    const device = new FakeDevice();
    const phone = await confirmed(device);
    const cases: [unknown, DeviceErrorCode][] = [
      [utf8('{'), 'MALFORMED_REQUEST'],
      [Uint8Array.of(0xff, 0xfe), 'MALFORMED_REQUEST'],
      [utf8('['.repeat(2_000)), 'MALFORMED_REQUEST'],
      [utf8('['.repeat(2_000) + ']'.repeat(2_000)), 'MALFORMED_REQUEST'],
      [{ ...status(), v: 2 }, 'UNSUPPORTED_VERSION'],
      [{ ...status(), type: 'reboot' }, 'UNKNOWN_REQUEST'],
      [{ ...status(), extra: 1 }, 'MALFORMED_REQUEST'],
      [{ ...provision, nonce: undefined }, 'MALFORMED_REQUEST'],
      [{ ...provision, wifi: { ssid: '' } }, 'SSID_INVALID'],
    ];
    for (const [request, code] of cases) {
      expect(await phone.ask(request)).toMatchObject([{ type: 'error', code }]);
    }
    expect(device.handled).toEqual([]);
    expect(await phone.ask(status(9))).toMatchObject([{ id: 9, type: 'status' }]);
    expect(device.closed).toEqual([]);
  });
});

describe('answering requests', () => {
  it('does one at a time and refuses a second one meanwhile', async () => {
    let finish: (response: BleResponse) => void = () => {};
    const device = new FakeDevice({
      handle: () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    });
    const phone = await confirmed(device);
    expect(await phone.ask(status(1))).toEqual([]);
    expect(await phone.ask(status(2))).toMatchObject([{ id: 2, code: 'BUSY' }]);
    finish({ type: 'status', state: 'claimable', steps: [] });
    await settle();
    expect(phone.answers()).toMatchObject([{ id: 1, type: 'status' }]);
    expect(device.handled).toHaveLength(1);
  });

  it.each(['provisioning', 'provisioned', 'recovery-needed', 'resetting'] as const)(
    'BLE-09 BLE-12 refuses to provision a device that is %s',
    async (state) => {
      const device = new FakeDevice({ state: () => state });
      const phone = await confirmed(device);
      expect(await phone.ask(provision)).toMatchObject([{ code: 'NOT_ALLOWED_IN_STATE' }]);
      expect(device.handled).toEqual([]);
      expect(await phone.ask(status(2))).toMatchObject([{ id: 2, type: 'status' }]);
    },
  );

  it('lets an owner only look, recover and change Wi-Fi once a device is provisioned', () => {
    const types = ['identity', 'wifi-scan', 'provision', 'status', 'recover', 'wifi-change'] as const;
    expect(types.filter((type) => isRequestAllowed('provisioned', type))).toEqual([
      'wifi-scan',
      'status',
      'recover',
      'wifi-change',
    ]);
    expect(types.filter((type) => isRequestAllowed('provisioning', type))).toEqual(['status']);
  });

  it('passes on a refusal of the device and hides its accidents', async () => {
    let error: Error = new BleError('BUSY', 'a scan is running');
    const hidden: unknown[] = [];
    const device = new FakeDevice({
      handle: () => Promise.reject(error),
      onInternalError: (cause) => hidden.push(cause),
    });
    const phone = await confirmed(device);
    expect(await phone.ask(status(1))).toMatchObject([{ code: 'BUSY', detail: 'a scan is running' }]);
    error = new Error('/etc/secret: no such file');
    const [answer] = await phone.ask(status(2));
    expect(answer?.code).toBe('INTERNAL');
    expect(answer?.detail).not.toContain('secret');
    expect(hidden).toEqual([error]);
  });

  it('answers INTERNAL when the handler answers something else', async () => {
    const device = new FakeDevice({ handle: () => answerAll({ type: 'wifi-scan' }) });
    expect(await (await confirmed(device)).ask(status())).toMatchObject([{ code: 'INTERNAL' }]);
  });

  it('drops the answer to a request when the session has ended meanwhile', async () => {
    let finish: (response: BleResponse) => void = () => {};
    const device = new FakeDevice({
      handle: () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    });
    const phone = await confirmed(device);
    await phone.ask(status());
    device.session.close('LINK_LOST');
    const before = device.notified.length;
    finish({ type: 'status', state: 'claimable', steps: [] });
    await settle();
    expect(device.notified).toHaveLength(before);
    expect(device.closed).toEqual(['LINK_LOST']);
  });

  it('ends when a notification cannot be sent', async () => {
    const device = new FakeDevice();
    device.notify = () => {
      throw new Error('the radio is gone');
    };
    await new RawPhone(device).shakeHands();
    expect(device.closed).toEqual(['LINK_LOST']);
  });
});

describe('secrets', () => {
  it('BLE-02 never leave in clear', async () => {
    const device = new FakeDevice();
    const written: Uint8Array[] = [];
    const receive = device.session.receive.bind(device.session);
    device.session.receive = (chunk) => {
      written.push(chunk);
      receive(chunk);
    };
    const phone = await confirmed(device);
    await phone.ask(provision);
    const air = Buffer.concat([...written, ...device.notified]);
    for (const secret of ['tomatoes!', 'Greenhouse', provision.nonce])
      expect(air.includes(secret)).toBe(false);
    expect(air.includes(Buffer.from(SETUP_CODE))).toBe(false);
  });
});

/** Sealed under the psk of SETUP_CODE and the prologue of UUID, with the public key 0. */
const LOW_ORDER_MESSAGE_1 =
  '00000000000000000000000000000000000000000000000000000000000000003624d8e93fded07f0c00510a8e37ca94';
