import { describe, expect, it } from 'vitest';
import {
  type BleLink,
  type BleResponse,
  connectDevice,
  DeviceSession,
  encodeFrame,
  encodeInfo,
  formatSetupCode,
} from '../../src/ble/index.ts';
import { answerAll, FakeDevice, IDENTITY_HASH, SETUP_CODE, seededRandom, settle, UUID } from './support.ts';

const random = seededRandom(7).bytes;
const setupCode = formatSetupCode(SETUP_CODE);
const body = {
  wifi: { ssid: 'Greenhouse', password: 'tomatoes!' },
  apiUrl: 'https://cloud.example:8443',
  claimId: '1',
  nonce: 'n'.repeat(22),
  phoneTime: 1_790_000_000_000,
};

describe('an app with the right setup code', () => {
  it.each([1, 20, 244, 509])('holds the whole conversation over writes of %i bytes', async (mtuPayload) => {
    const device = new FakeDevice({ mtuPayload, state: () => 'claimable' });
    const phone = await connectDevice({ link: device.link(mtuPayload), setupCode, random });
    expect(phone.info).toEqual({ v: 1, uuid: UUID, state: 'claimable' });
    expect((await phone.identity()).identityKeyHash).toBe(IDENTITY_HASH);
    expect((await phone.wifiScan()).networks[0]?.ssid).toBe('Greenhouse');
    expect(await phone.provision(body)).toEqual({ type: 'provision' });
    expect(device.handled.at(-1)).toEqual({ type: 'provision', ...body });
    expect(await phone.status()).toEqual({ type: 'status', state: 'claimable', steps: [] });
    expect(device.confirmations).toBe(1);
    await phone.close();
    expect(device.closed).toEqual(['LINK_LOST']);
  });

  it('recovers and moves a provisioned device to another Wi-Fi', async () => {
    const device = new FakeDevice({ state: () => 'provisioned' });
    const phone = await connectDevice({ link: device.link(), setupCode: SETUP_CODE, random });
    const { wifi, apiUrl, phoneTime } = body;
    await phone.wifiChange({ wifi, phoneTime });
    await phone.recover({ token: 't'.repeat(22), apiUrl, phoneTime });
    expect(device.handled.map((request) => request.type)).toEqual(['wifi-change', 'recover']);
    await expect(phone.identity()).rejects.toMatchObject({ code: 'NOT_ALLOWED_IN_STATE' });
    expect((await phone.status()).type).toBe('status');
  });

  it('sends requests made at once one after another', async () => {
    const device = new FakeDevice();
    const phone = await connectDevice({ link: device.link(), setupCode, random });
    await Promise.all([phone.status(), phone.identity(), phone.wifiScan()]);
    expect(device.handled.map((request) => request.type)).toEqual(['status', 'identity', 'wifi-scan']);
  });

  it('learns of a bad argument before anything is sent', async () => {
    const device = new FakeDevice();
    const phone = await connectDevice({ link: device.link(), setupCode, random });
    const before = device.written.length;
    await expect(phone.provision({ ...body, wifi: { ssid: 'x'.repeat(33) } })).rejects.toMatchObject({
      code: 'SSID_INVALID',
    });
    expect(device.written).toHaveLength(before);
    expect((await phone.status()).type).toBe('status');
  });
});

describe('refusing to connect', () => {
  it('says that a setup code was mistyped, and sends nothing', async () => {
    const device = new FakeDevice();
    const link = device.link();
    await expect(connectDevice({ link, setupCode: 'ABC', random })).rejects.toMatchObject({
      code: 'SETUP_CODE_LENGTH',
    });
    expect(device.written).toEqual([]);
    expect(link.disconnects).toBe(1);
  });

  it('says that a setup code belongs to another device', async () => {
    const device = new FakeDevice();
    const link = device.link();
    await expect(connectDevice({ link, setupCode: new Uint8Array(16), random })).rejects.toMatchObject({
      code: 'SETUP_CODE_REFUSED',
    });
    expect(device.closed).toEqual(['SETUP_CODE_REFUSED']);
    expect(link.disconnects).toBe(1);
  });

  it('does not talk to another device than the one on the label', async () => {
    const device = new FakeDevice();
    const expectedUuid = UUID.replace('0', '1');
    await expect(
      connectDevice({ link: device.link(), setupCode, random, expectedUuid }),
    ).rejects.toMatchObject({
      code: 'DEVICE_UNEXPECTED',
    });
    expect(device.written).toEqual([]);
  });

  it.each([
    ['a newer version', Uint8Array.of(2), 'UNSUPPORTED_VERSION'],
    ['no info', new Uint8Array(0), 'INFO_MALFORMED'],
    ['a short info', encodeInfo({ uuid: UUID, state: 'claimable' }).slice(0, 17), 'INFO_MALFORMED'],
  ])('says so when the device shows %s', async (_, info, code) => {
    const link = { ...new FakeDevice().link(), readInfo: async () => info };
    await expect(connectDevice({ link, setupCode, random })).rejects.toMatchObject({ code });
  });

  it('says that the link was lost when it is lost while connecting', async () => {
    const device = new FakeDevice();
    const link: BleLink = { ...device.link(), write: async () => device.disconnected() };
    await expect(connectDevice({ link, setupCode, random })).rejects.toMatchObject({ code: 'LINK_LOST' });
    const broken: BleLink = { ...device.link(), readInfo: () => Promise.reject(new Error('GATT 133')) };
    await expect(connectDevice({ link: broken, setupCode, random })).rejects.toMatchObject({
      code: 'LINK_LOST',
    });
  });

  it('gives up when told to', async () => {
    const link: BleLink = { ...new FakeDevice().link(), readInfo: () => new Promise(() => {}) };
    const abort = new AbortController();
    const attempt = connectDevice({ link, setupCode, random, signal: abort.signal });
    abort.abort();
    await expect(attempt).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('BLE-02 somebody between the app and the device', () => {
  it('who does not know the code cannot answer the first message', async () => {
    const attacker = new FakeDevice();
    const link = attacker.link();
    const other = new DeviceSession({
      uuid: UUID,
      setupCode: new Uint8Array(16),
      random: seededRandom(3).bytes,
      state: () => 'claimable',
      handle: answerAll,
      send: (chunk) => attacker.notify(chunk),
      mtuPayload: 20,
    });
    link.write = async (chunk) => other.receive(chunk);
    await expect(connectDevice({ link, setupCode, random })).rejects.toMatchObject({
      code: 'SETUP_CODE_REFUSED',
    });
  });

  it('who answers with his own key is found out before any secret leaves', async () => {
    const link = new FakeDevice().link();
    const device = new FakeDevice();
    const written: Uint8Array[] = [];
    let listener: (chunk: Uint8Array) => void = () => {};
    link.onNotify = (to) => {
      listener = to;
    };
    link.write = async (chunk) => {
      written.push(chunk);
      if (Buffer.concat(written).length < 50) return;
      for (const part of encodeFrame(seededRandom(4).bytes(48), 20)) listener(part);
    };
    await expect(connectDevice({ link, setupCode, random })).rejects.toMatchObject({
      code: 'HANDSHAKE_FAILED',
    });
    expect(Buffer.concat(written)).toHaveLength(50);
    expect(device.handled).toEqual([]);
  });

  it('who changes a bit of an answer ends the session', async () => {
    const device = new FakeDevice();
    const link = device.link();
    const phone = await connectDevice({ link, setupCode, random });
    const deliver = device.notify;
    device.notify = (chunk) => deliver(chunk.map((byte, at) => (at === 5 ? byte ^ 1 : byte)));
    await expect(phone.identity()).rejects.toMatchObject({ code: 'SESSION_BROKEN' });
    expect(link.disconnects).toBe(1);
    await expect(phone.status()).rejects.toMatchObject({ code: 'SESSION_BROKEN' });
  });
});

describe('a session in trouble', () => {
  it('fails waiting calls and later ones when the link is lost', async () => {
    const device = new FakeDevice({ handle: () => new Promise(() => {}) });
    const phone = await connectDevice({ link: device.link(), setupCode, random });
    const waiting = phone.status();
    await settle();
    device.disconnected();
    await expect(waiting).rejects.toMatchObject({ code: 'LINK_LOST' });
    await expect(phone.identity()).rejects.toMatchObject({ code: 'LINK_LOST' });
  });

  it('fails calls after it was closed', async () => {
    const phone = await connectDevice({ link: new FakeDevice().link(), setupCode, random });
    await phone.close();
    await expect(phone.status()).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('drops the late answer to a request that was given up, and goes on', async () => {
    const finish: ((response: BleResponse) => void)[] = [];
    const device = new FakeDevice({
      handle: (request) =>
        finish.length > 0 ? answerAll(request) : new Promise((resolve) => finish.push(resolve)),
    });
    const phone = await connectDevice({ link: device.link(), setupCode, random });
    const abort = new AbortController();
    const given = phone.identity({ signal: abort.signal });
    await settle();
    abort.abort();
    await expect(given).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(phone.status()).rejects.toMatchObject({ code: 'BUSY' });
    finish[0]?.(await answerAll({ type: 'identity' }));
    await settle();
    expect((await phone.status()).type).toBe('status');
  });

  it('keeps writes apart when a caller gives up in the middle of one', async () => {
    const device = new FakeDevice();
    const link = device.link();
    const phone = await connectDevice({ link, setupCode, random });
    const write = link.write;
    link.write = async (chunk) => {
      await settle();
      await write(chunk);
    };
    const abort = new AbortController();
    const given = phone.provision(body, { signal: abort.signal });
    await settle();
    abort.abort();
    await expect(given).rejects.toMatchObject({ code: 'ABORTED' });
    await phone.status();
    expect(device.handled.map((request) => request.type)).toEqual(['provision', 'status']);
  });
});
