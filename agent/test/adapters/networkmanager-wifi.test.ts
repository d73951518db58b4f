import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { joinError } from '../../src/adapters/networkmanager/activate.ts';
import { createNetworkManagerWifi } from '../../src/adapters/networkmanager-wifi.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import type { WifiCredentials, WifiErrorCode } from '../../src/ports/wifi.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { type FakeAccessPoint, FakeNetworkManager, secretOf } from '../support/fake-network-manager.ts';
import {
  describeWifi,
  GREENHOUSE,
  HOME,
  NO_ADDRESS,
  SHED,
  type WifiWorld,
} from '../support/wifi-contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'ares-nm-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const never = new AbortController().signal;
const MINUTE = 60_000;
const RSN_PSK = 0x188;
const RSN_SAE = 0x488;
const RSN_ENTERPRISE = 0x288;

const utf8 = (text: string) => Buffer.from(text, 'utf8');
const wpa = (
  { ssid, password }: { ssid: string; password?: string | undefined },
  strength = 90,
): FakeAccessPoint => ({
  ssid: utf8(ssid),
  strength,
  flags: 1,
  rsnFlags: RSN_PSK,
  ...(password !== undefined && { password }),
});

let boards = 0;
function board() {
  const clock = createFakeClock();
  const manager = new FakeNetworkManager(clock);
  manager.install('11111111-2222-4333-8444-555555555555', 'home');
  manager.accessPoints = [
    wpa(HOME),
    wpa(GREENHOUSE),
    wpa(SHED, 40),
    { ssid: utf8('visitors'), strength: 30 },
    { ...wpa(NO_ADDRESS), noAddress: true },
  ];
  const recordPath = join(folder, `${++boards}.json`);
  const world: WifiWorld = {
    open: () =>
      createNetworkManagerWifi({
        run: manager.run,
        recordPath,
        clock,
        logger: silentLogger,
        uuid: randomUUID,
        hasAddress: () => true,
      }),
    current: async () => manager.currentSsid(),
    settle: async (work) => {
      let over = false;
      const done = work.finally(() => {
        over = true;
      });
      done.catch(() => undefined);
      while (!over) await clock.advance(250);
      return done;
    },
    pass: (milliseconds) => clock.advance(milliseconds),
  };
  const join_ = (credentials: WifiCredentials) =>
    world.settle(world.open().beginTrial(credentials, { rollbackAfterMs: MINUTE, signal: never }));
  return { clock, manager, recordPath, world, join: join_ };
}

describe('NetworkManager', () => {
  describeWifi(async () => board().world);
});

describe('names and passwords', () => {
  const ODD = [
    ['quotes', '"it\'s"', `"'"'"'""`],
    ['a command', '$(reboot)', '`reboot`;$(id)'],
    ['an option', '--help', '--passwd-file'],
    ['a word of nmcli', 'help', 'ifname wlan1'],
    ['backslashes', 'a\\b\\', '\\141\\\\ \\n\\'],
    ['spaces around', ' two words ', '  eight spaces  '],
    ['a comment', '#home', '#12345678'],
    ['a separator', 'a:b=c', 'a:b=c:d=e'],
    ['other letters', 'Café 🌱', 'größer-als-ñandú'],
    ['the longest', 'x'.repeat(32), 'p'.repeat(63)],
  ] as const;

  it.each(ODD)('BLE-10 %s are taken literally', async (_, ssid, password) => {
    const { manager, join: joinNetwork, world } = board();
    manager.accessPoints = [wpa({ ssid, password })];
    await joinNetwork({ ssid, password });
    expect(await world.current()).toBe(ssid);
    const up = manager.calls.find(({ args }) => args.includes('up'));
    expect(secretOf(up?.input)).toBe(password);
  });

  it('BLE-10 SEC-02 a password is in no argument, in no file and in no error', async () => {
    const { manager, join: joinNetwork, recordPath } = board();
    await joinNetwork(GREENHOUSE);
    manager.accessPoints = [wpa({ ...GREENHOUSE, password: 'another one' })];
    const error: unknown = await joinNetwork(GREENHOUSE).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'WIFI_WRONG_PASSWORD' });
    const public_ = JSON.stringify(manager.calls.map(({ file, args }) => [file, args])) + String(error);
    for (const text of [GREENHOUSE.password, '\\164\\157'] as string[]) expect(public_).not.toContain(text);
    for (const file of readdirSync(folder)) {
      expect(readFileSync(join(folder, file), 'utf8')).not.toContain(GREENHOUSE.password);
    }
    expect(recordPath).toContain(folder);
  });

  it('joins a network that hides its name, asking for it', async () => {
    const { manager, join: joinNetwork, world } = board();
    manager.accessPoints = [{ ...wpa(SHED), silent: true }];
    await joinNetwork(SHED);
    expect(await world.current()).toBe('potting-shed');
    const add = manager.calls.find(({ args }) => args.includes('AddConnection2'));
    expect(add?.args.join(' ')).toContain('hidden b true');
  });

  it('uses the newer way to prove the password where the older one is refused', async () => {
    const { manager, join: joinNetwork } = board();
    manager.accessPoints = [{ ...wpa(SHED), rsnFlags: RSN_SAE }];
    await joinNetwork(SHED);
    const add = manager.calls.find(({ args }) => args.includes('AddConnection2'));
    expect(add?.args.join(' ')).toContain('key-mgmt s sae');
  });

  it('asks for the password of a network that has one before it leaves the present one', async () => {
    const { manager, join: joinNetwork } = board();
    await expect(joinNetwork({ ssid: 'greenhouse' })).rejects.toMatchObject({ code: 'WIFI_WRONG_PASSWORD' });
    expect(manager.calls.some(({ args }) => args.includes('CheckpointCreate'))).toBe(false);
  });

  it('lists each network once, the strongest, without what nobody could ask for', async () => {
    const { manager, world } = board();
    manager.accessPoints = [
      wpa(GREENHOUSE, 20),
      wpa(GREENHOUSE, 80),
      { ssid: Buffer.alloc(0), strength: 99 },
      { ssid: Buffer.alloc(9), strength: 99 },
      { ssid: Buffer.from([0xff, 0xfe]), strength: 99 },
      { ssid: utf8('office'), strength: 50, flags: 1, rsnFlags: RSN_ENTERPRISE },
      { ssid: utf8('museum'), strength: 40, flags: 1 },
      { ssid: utf8('visitors'), strength: 30 },
    ];
    expect(await world.settle(world.open().scan(never))).toEqual([
      { ssid: 'greenhouse', signalDbm: -60, security: 'wpa' },
      { ssid: 'office', signalDbm: -75, security: 'other' },
      { ssid: 'museum', signalDbm: -80, security: 'other' },
      { ssid: 'visitors', signalDbm: -85, security: 'open' },
    ]);
  });
});

describe('trials', () => {
  it('BLE-11 leave nothing on the disk until they are kept', async () => {
    const { manager, join: joinNetwork, world } = board();
    await joinNetwork(GREENHOUSE);
    const trial = () => [...manager.profiles.values()].find(({ uuid }) => uuid === manager.active);
    expect(trial()).toMatchObject({ inMemory: true, settings: { connection: { autoconnect: true } } });
    await world.open().commitTrial();
    expect(trial()).toMatchObject({ inMemory: false, psk: GREENHOUSE.password });
  });

  it('BLE-11 killed between the checkpoint and its record are found and undone', async () => {
    const { manager, join: joinNetwork, recordPath, world } = board();
    await joinNetwork(GREENHOUSE);
    const record = JSON.parse(readFileSync(recordPath, 'utf8')) as { trial: { checkpoint: unknown } };
    record.trial.checkpoint = null;
    writeFileSync(recordPath, JSON.stringify(record));
    expect(await world.open().inTrial()).toBe(true);
    await world.open().rollbackTrial();
    expect(await world.current()).toBe('home');
    expect(manager.checkpoints.size).toBe(0);
  });

  it('BLE-11 cut short by a restart of NetworkManager are cleared away, its checkpoints of others are not', async () => {
    const { manager, join: joinNetwork, world } = board();
    await joinNetwork(GREENHOUSE);
    manager.restart();
    await world.pass(1_000);
    const stranger = { created: 99, until: Number.POSITIVE_INFINITY, profiles: new Map(), active: undefined };
    manager.checkpoints.set('/org/freedesktop/NetworkManager/Checkpoint/1', stranger);
    await world.open().rollbackTrial();
    expect(manager.checkpoints.size).toBe(1);
    expect([...manager.profiles.values()].map(({ settings }) => settings.connection?.uuid)).toHaveLength(1);
  });

  it('forgets only what Ares made', async () => {
    const { manager, join: joinNetwork, world } = board();
    await joinNetwork(GREENHOUSE);
    await world.open().commitTrial();
    expect(manager.profiles.size).toBe(2);
    await world.open().forgetAll();
    expect([...manager.profiles.values()].map(({ uuid }) => uuid)).toEqual([
      '11111111-2222-4333-8444-555555555555',
    ]);
  });

  it('BLE-11 return to a network that was kept before by NetworkManager alone', async () => {
    const { join: joinNetwork, world } = board();
    await joinNetwork(GREENHOUSE);
    await world.open().commitTrial();
    await joinNetwork(SHED);
    await world.pass(2 * MINUTE);
    expect(await world.current()).toBe('greenhouse');
  });

  it('BLE-11 return to a network whose profile somebody has changed, with help', async () => {
    const { manager, join: joinNetwork, world } = board();
    manager.touch();
    await joinNetwork(SHED);
    await world.settle(world.open().rollbackTrial());
    expect(await world.current()).toBe('home');
    manager.touch();
    await joinNetwork(SHED);
    await world.pass(2 * MINUTE);
    expect(await world.current()).toBeUndefined();
    await world.settle(world.open().rollbackTrial());
    expect(await world.current()).toBe('home');
  });

  it('replace the network that an owner gave before', async () => {
    const { manager, join: joinNetwork, world } = board();
    for (const network of [GREENHOUSE, SHED]) {
      await joinNetwork(network);
      await world.open().commitTrial();
    }
    expect(manager.profiles.size).toBe(2);
    expect(await world.current()).toBe('potting-shed');
  });
});

describe('without NetworkManager', () => {
  it('a join is refused with what to do, and nothing else is in the way', async () => {
    const { manager, join: joinNetwork, world } = board();
    manager.running = false;
    await expect(joinNetwork(GREENHOUSE)).rejects.toMatchObject({
      code: 'WIFI_FAILED',
      message: expect.stringContaining('sudo apt install network-manager') as string,
    });
    const wifi = world.open();
    expect(await wifi.inTrial()).toBe(false);
    await wifi.rollbackTrial();
    await wifi.commitTrial();
    await wifi.waitForAddress(never);
    await wifi.forgetAll();
  });

  it('a network that an owner gave is not taken for forgotten', async () => {
    const { manager, join: joinNetwork, world } = board();
    await joinNetwork(GREENHOUSE);
    await world.open().commitTrial();
    manager.running = false;
    await expect(world.open().forgetAll()).rejects.toMatchObject({ code: 'WIFI_FAILED' });
    manager.running = true;
    await world.open().forgetAll();
    expect(manager.profiles.size).toBe(1);
  });

  it('a missing rule or adapter is named', async () => {
    const { manager, join: joinNetwork } = board();
    const credentials = GREENHOUSE;
    manager.refuse = (args) =>
      args.includes('CheckpointCreate')
        ? { code: 1, stdout: '', stderr: 'Call failed: Not authorized to checkpoint/rollback\n' }
        : undefined;
    await expect(joinNetwork(credentials)).rejects.toThrow('polkit');
    manager.refuse = undefined;
    manager.deviceState = 10;
    await expect(joinNetwork(credentials)).rejects.toThrow('leave wlan0 alone');
    manager.deviceState = 20;
    await expect(joinNetwork(credentials)).rejects.toThrow('rfkill');
    manager.hasDevice = false;
    await expect(joinNetwork(credentials)).rejects.toThrow('no Wi-Fi adapter');
  });
});

describe('the words of nmcli', () => {
  it.each<[number, string, WifiErrorCode]>([
    [
      4,
      'Error: Connection activation failed: Secrets were required, but not provided',
      'WIFI_WRONG_PASSWORD',
    ],
    [4, 'Error: Connection activation failed: The Wi-Fi network could not be found', 'WIFI_NOT_FOUND'],
    [
      4,
      'Error: Connection activation failed: IP configuration could not be reserved (no available address, timeout, etc.)',
      'ADDRESS_TIMEOUT',
    ],
    [4, '802-11-wireless-security.psk: property is invalid', 'WIFI_WRONG_PASSWORD'],
    [3, 'Error: Timeout expired (60 seconds)', 'WIFI_FAILED'],
    [8, 'Error: NetworkManager is not running.', 'WIFI_FAILED'],
    [127, 'nmcli: not found', 'WIFI_FAILED'],
    [4, 'Error: Connection activation failed: Not authorized to control networking.', 'WIFI_FAILED'],
    [10, "Error: unknown connection '1'.", 'WIFI_FAILED'],
  ])('exit %i, %s: %s', (code, stderr, expected) => {
    expect(joinError({ code, stdout: '', stderr }, 'home').code).toBe(expected);
  });
});
