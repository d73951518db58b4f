import { randomBytes } from 'node:crypto';
import {
  type BleDeviceState,
  type BleRequest,
  type BleResponse,
  DEVICE_STATES,
  encodeFrame,
  isRequestAllowed,
} from '@ares/protocol/ble';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { LifecycleState } from '../../src/lifecycle/transitions.ts';
import type { Wifi } from '../../src/ports/wifi.ts';
import { bleStateOf, createConversation } from '../../src/provisioning/conversation.ts';
import { createGattService, type GattService } from '../../src/provisioning/gatt-service.ts';
import { createProgress } from '../../src/provisioning/progress.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { createFakeRadio, type FakeRadio } from '../support/fake-radio.ts';

const deviceUuid = '0f7a1f0e-9c1d-4b7e-8a55-1c2d3e4f5a6b';
const setupCode = randomBytes(16);
const settle = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

let radio: FakeRadio;
let clock: FakeClock;
let service: GattService;
let life: LifecycleState;
let failures: string[];
const actions = { provision: vi.fn(), recover: vi.fn(), changeWifi: vi.fn() };

beforeEach(async () => {
  radio = createFakeRadio();
  clock = createFakeClock();
  life = 'UNPROVISIONED';
  failures = [];
  for (const action of Object.values(actions)) action.mockReset();
  const identity = {
    deviceUuid,
    cpuSerial: '10000000deadbeef',
    hardwareVersion: 'sim-1',
    hardwareVariant: 'standard',
  };
  const conversation = createConversation({
    local: () => ({ identity, identityKeyHash: 'a'.repeat(64), identityKeyPem: '', setupCodeHex: '' }),
    wifi: { scan: async () => [] } as unknown as Wifi,
    progress: createProgress(),
    actions,
    state: () => life,
  });
  service = createGattService({
    peripheral: radio.peripheral,
    deviceUuid,
    setupCode,
    random: (count) => randomBytes(count),
    clock,
    handle: conversation,
    onConfirmed: () => undefined,
    onFailed: (reason) => failures.push(reason),
    onRadioFailed: () => undefined,
  });
  await service.open();
  service.setState('claimable');
});

const request = {
  wifi: { ssid: 'greenhouse', password: 'growgrowgrow' },
  apiUrl: 'https://cloud.example:8443',
  claimId: '5d9e1a7c-6a56-4b0c-b1f1-5a3f5f0d7b11',
  nonce: 'n'.repeat(43),
  phoneTime: 1_795_165_200_000,
};

describe('a passer-by without the setup code', () => {
  it('BLE-01 is refused at his first message, nothing is stored, and the failure is counted', async () => {
    await expect(radio.pair(randomBytes(16))).rejects.toMatchObject({ code: 'SETUP_CODE_REFUSED' });
    expect(actions.provision).not.toHaveBeenCalled();
    expect(failures).toHaveLength(1);
  });

  it('BLE-01 cannot send a request without the handshake', async () => {
    const link = radio.link();
    const body = Buffer.from(JSON.stringify({ v: 1, id: 1, type: 'provision', ...request }));
    for (const chunk of encodeFrame(body, 100)) await link.write(chunk);
    await settle();
    expect(link.open).toBe(false);
    expect(actions.provision).not.toHaveBeenCalled();
  });

  it('BLE-03 waits longer after each failure, from 1 s to 30 s, and the owner still gets in', async () => {
    const pauses: number[] = [];
    for (let attempt = 0; attempt < 8; attempt += 1) {
      await radio.pair(randomBytes(16)).catch(() => undefined);
      await settle();
      const before = clock.monotonicMs();
      while (!radio.advertising) await clock.advance(500);
      pauses.push(clock.monotonicMs() - before);
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    const owner = await radio.pair(setupCode);
    expect((await owner.identity()).deviceUuid).toBe(deviceUuid);
    await owner.close();
    await settle();
    expect(radio.advertising).toBe(true);
  });

  it('BLE-03 holds the connection for ten seconds at most', async () => {
    const link = radio.link();
    await clock.advance(9_900);
    expect(link.open).toBe(true);
    await clock.advance(200);
    await settle();
    expect(link.open).toBe(false);
    expect(failures).toEqual(['NO_VALID_MESSAGE']);
  });

  it('BLE-03 the owner is not held to ten seconds', async () => {
    const owner = await radio.pair(setupCode);
    await owner.status();
    await clock.advance(60_000);
    expect(await owner.status()).toMatchObject({ state: 'claimable' });
  });
});

describe('bytes that are no message', () => {
  it.each([
    ['an empty frame', Uint8Array.of(0, 0)],
    ['a frame over 4 KiB', Uint8Array.of(0xff, 0xff, ...new Array(300).fill(7))],
    ['half a header', Uint8Array.of(0)],
    ['random bytes', Uint8Array.from(randomBytes(300))],
  ])('BLE-07 %s: no crash, and a phone gets in afterwards', async (_name, bytes) => {
    const link = radio.link();
    for (let at = 0; at < bytes.length; at += 7) await link.write(bytes.subarray(at, at + 7));
    await settle();
    await link.disconnect();
    await settle();
    await clock.advance(30_000);
    const owner = await radio.pair(setupCode);
    expect(await owner.status()).toMatchObject({ state: 'claimable' });
  });
});

describe('a phone with the setup code at the wrong time', () => {
  it.each([
    ['PROVISIONING', 'provisioning'],
    ['OPERATING', 'provisioned'],
    ['BLOCKED', 'provisioned'],
    ['RECOVERY_NEEDED', 'recovery-needed'],
    ['RESETTING', 'resetting'],
  ] as const)('BLE-09 provision while %s is refused and changes nothing', async (state, ble) => {
    life = state;
    service.setState(ble);
    const owner = await radio.pair(setupCode);
    await expect(owner.provision(request)).rejects.toMatchObject({ code: 'NOT_ALLOWED_IN_STATE' });
    expect(actions.provision).not.toHaveBeenCalled();
  });

  it('BLE-09 is refused by the resident process too, when the radio is late to know', async () => {
    const owner = await radio.pair(setupCode);
    life = 'PROVISIONING';
    await expect(owner.provision(request)).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(actions.provision).not.toHaveBeenCalled();
  });

  it('BLE-12 both sides of the pipe allow the same requests', async () => {
    const types = ['identity', 'wifi-scan', 'provision', 'status', 'recover', 'wifi-change'] as const;
    const lives: LifecycleState[] = [
      'UNPROVISIONED',
      'PROVISIONING',
      'OPERATING',
      'RECOVERY_NEEDED',
      'BLOCKED',
      'RESETTING',
    ];
    expect(new Set(lives.map(bleStateOf))).toEqual(new Set<BleDeviceState>(DEVICE_STATES));
    for (const state of lives) {
      const answer = createConversation({
        local: () => ({}) as never,
        wifi: { scan: async () => [] } as unknown as Wifi,
        progress: createProgress(),
        actions,
        state: () => state,
      });
      for (const type of types) {
        const allowed = await answer({ type, ...request } as unknown as BleRequest).then(
          () => true,
          (cause: unknown) => (cause as { code?: string }).code !== 'NOT_ALLOWED_IN_STATE',
        );
        expect(allowed, `${type} while ${state}`).toBe(isRequestAllowed(bleStateOf(state), type));
      }
    }
  });
});

describe('names and passwords that are no plain words', () => {
  it.each([
    ['an empty SSID', { ssid: '' }],
    ['an SSID of 33 bytes', { ssid: 'x'.repeat(33) }],
    ['an SSID with a newline', { ssid: 'a\nb' }],
    ['an SSID with NUL', { ssid: 'a\0b' }],
    ['a password of 7', { ssid: 'ok', password: '1234567' }],
    ['a password of 64', { ssid: 'ok', password: 'x'.repeat(64) }],
  ])('BLE-10 %s is refused', async (_name, wifi) => {
    const owner = await radio.pair(setupCode);
    await expect(owner.provision({ ...request, wifi })).rejects.toMatchObject({
      code: expect.stringMatching(/^(SSID|PASSWORD)_INVALID$/) as string,
    });
    expect(actions.provision).not.toHaveBeenCalled();
  });

  it.each(['"; reboot', '$(reboot)', '`id`', '--help', 'grün ☘'])(
    'BLE-10 %s is passed on literally',
    async (ssid) => {
      actions.provision.mockResolvedValue(undefined);
      const owner = await radio.pair(setupCode);
      await owner.provision({ ...request, wifi: { ssid, password: `${ssid} password` } });
      const [passed] = actions.provision.mock.calls[0] as [BleRequest & { type: 'provision' }];
      expect(passed.wifi).toEqual({ ssid, password: `${ssid} password` });
    },
  );
});

describe('when the service is finished', () => {
  it('BLE-12 lets nobody in, but a session that stands may read on', async () => {
    const owner = await radio.pair(setupCode);
    await owner.status();
    let ended = false;
    void service.finish(30_000).then(() => {
      ended = true;
    });
    expect(() => radio.link()).toThrow();
    const status: BleResponse = await owner.status();
    expect(status).toMatchObject({ type: 'status' });
    await clock.advance(30_000);
    await settle();
    expect(ended).toBe(true);
  });
});
