import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StateDocument } from '@ares/protocol';
import { createClient } from '@ares/protocol/http';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AresProcess,
  agent,
  ares,
  aresWith,
  eventually,
  freePort,
  processesOf,
  startAres,
  temporaryHome,
} from '../support/ares-process.ts';

interface Device {
  deviceUuid: string;
  lifeCycle: string;
  presence: string;
}
interface Reading {
  componentType: string;
  metric: string;
  value: number;
  measuredAt: string;
}

describe('the life of one device, as npm start shows it', () => {
  const home = temporaryHome();
  let program: AresProcess;
  let deviceUuid = '';
  const piFlags = () => [
    '--state-dir',
    join(home.path, 'pi', 'state'),
    '--simulate-board',
    join(home.path, 'pi', 'board'),
  ];
  const devices = async () => (await ares<{ items: Device[] }>(home.path, 'device', 'list')).items;
  const state = () => ares<StateDocument>(home.path, 'device', 'state', deviceUuid);
  const agentState = async () =>
    JSON.parse(await agent('status', ...piFlags(), '--json')) as {
      state: string;
    };

  beforeAll(async () => {
    program = startAres({ home: home.path, port: await freePort() });
    // The last line of what follows `ready`.
    await program.sees(/^Ctrl-C ends everything/m);
  });
  afterAll(async () => {
    program.child.kill('SIGTERM');
    await program.exited;
    home.remove();
  });

  it('tells each step with its duration and how to sign in', async () => {
    const output = program.output();
    for (const step of [
      'cloud',
      'factory',
      'preregister',
      'boot',
      'bluetooth',
      'claim',
      'operate',
      'command',
    ]) {
      expect(output).toMatch(new RegExp(`^✓ ${step} .*\\([0-9.]+ m?s\\)$`, 'm'));
    }
    expect(output).toContain(`ready: ${program.url}`);
    expect(output).toMatch(/Sign in as owner +owner@ares.local +\S{20}/);
  });

  it('has claimed the device, which is online', async () => {
    const items = await devices();
    expect(items).toMatchObject([{ lifeCycle: 'ACTIVE', presence: 'ONLINE' }]);
    deviceUuid = items[0]!.deviceUuid;
  });

  it('shows the live state of everything that is wired to it', async () => {
    const document = await state();
    expect(document.device_status).toBe('ONLINE');
    for (const key of [
      'led',
      'pump',
      'dht22_temp',
      'dht22_humidity',
      'cpu_average',
      'cpu_peak',
      'soil_moisture',
    ]) {
      expect(document[key], key).toEqual(expect.any(Number));
    }
    expect(document.components.map(({ status }) => status)).toEqual(document.components.map(() => 'OK'));
  });

  it('has stored signed readings', async () => {
    const { items } = await ares<{ items: Reading[] }>(
      home.path,
      'telemetry',
      deviceUuid,
      '--type',
      'dht22',
      '--metric',
      'temperature',
    );
    expect(items.length).toBeGreaterThan(0);
    expect(items[0]!.value).toBeGreaterThan(-40);
    expect(items[0]!.value).toBeLessThan(80);
  });

  it('runs the pump by command, verified on the line, and the pump switches itself off', async () => {
    const line = join(home.path, 'pi', 'board', 'gpio', 'gpio17', 'value');
    const outcome = await ares<{ status: string; verified: boolean }>(
      home.path,
      'device',
      'command',
      deviceUuid,
      'pump',
      'on',
      '--for',
      '2s',
    );
    expect(outcome).toMatchObject({ status: 'COMPLETED', verified: true });
    expect(readFileSync(line, 'utf8').trim()).toBe('1');
    await eventually('the pump is off again', () => readFileSync(line, 'utf8').trim() === '0', 6_000);
    await eventually('the cloud knows', async () => (await state())['pump'] === 0, 10_000);
  });

  it('CMD-07 switches the running pump off within a second when the agent is killed, and goes on', async () => {
    const line = join(home.path, 'pi', 'board', 'gpio', 'gpio17', 'value');
    await eventually('the pump has rested', async () => {
      const { status } = await ares<{ status: string }>(
        home.path,
        'device',
        'command',
        deviceUuid,
        'pump',
        'on',
        '--for',
        '60s',
      ).catch(() => ({ status: 'REJECTED' }));
      return status === 'COMPLETED';
    });
    expect(readFileSync(line, 'utf8').trim()).toBe('1');
    const [pid] = processesOf(join(home.path, 'pi', 'state')).filter((id) =>
      readFileSync(`/proc/${id}/cmdline`, 'utf8').includes('agent/src/main.ts'),
    );
    process.kill(pid!, 'SIGKILL');
    await eventually('the pump is off', () => readFileSync(line, 'utf8').trim() === '0', 1_000);
    await program.sees(/The guard has switched its outputs off/);
    await eventually(
      'the device is back',
      async () => (await agentState().catch(() => ({ state: '' }))).state === 'OPERATING',
      20_000,
    );
  });

  it('takes a component added on the server without a restart, and drops one that is removed', async () => {
    const added = await ares<{ componentId: number }>(
      home.path,
      'component',
      'add',
      deviceUuid,
      'led',
      '--pin',
      'line=22',
      '--name',
      'second',
    );
    await eventually(
      'the second LED reports',
      async () => (await state())[`led_${added.componentId}`] === 0,
      20_000,
    );
    await ares(home.path, 'component', 'remove', deviceUuid, String(added.componentId));
    await eventually(
      'it is gone',
      async () => (await state()).components.every(({ componentId }) => componentId !== added.componentId),
      20_000,
    );
  });

  it('refuses a pin that is taken and says by whom', async () => {
    await expect(ares(home.path, 'component', 'add', deviceUuid, 'led', '--pin', 'line=17')).rejects.toThrow(
      /GPIO 17 .*is taken by pump/,
    );
  });

  const WIFI = { ssid: 'canary-shed-7041', password: 'canary spade 9312' };
  const moveTo = ({ ssid, password }: typeof WIFI) =>
    aresWith<{ status: string; code?: string }>(
      { ARES_HOME: home.path, ARES_WIFI_PASSWORD: password },
      ...['device', 'wifi', deviceUuid, '--ssid', ssid],
    );
  const network = () =>
    JSON.parse(readFileSync(join(home.path, 'pi', 'state', 'wifi.json'), 'utf8')) as {
      current: { ssid: string };
      trial: unknown;
    };

  it('moves to another Wi-Fi by command and tells so from there', async () => {
    expect(await moveTo(WIFI)).toMatchObject({ status: 'COMPLETED' });
    expect(network()).toEqual({ current: WIFI, trial: null });
    expect(await devices()).toMatchObject([{ presence: 'ONLINE' }]);
  });

  it.each([
    ['with a wrong password', { ...WIFI, password: 'wrong canary' }, 'WIFI_WRONG_PASSWORD'],
    ['that is not there', { ...WIFI, ssid: 'nowhere' }, 'WIFI_NOT_FOUND'],
    ['that gives no address', { ...WIFI, ssid: 'no-address' }, 'ADDRESS_TIMEOUT'],
  ])('BLE-11 stays on its Wi-Fi when it is sent to one %s, and tells why', async (_, wifi, code) => {
    expect(await moveTo(wifi)).toMatchObject({ status: 'FAILED', code });
    expect(network()).toEqual({ current: WIFI, trial: null });
    await eventually('it is online', async () => (await devices())[0]?.presence === 'ONLINE', 20_000);
  });

  it('SEC-02 leaves neither name nor password of a Wi-Fi in anything that the cloud keeps or says', () => {
    const said = [...filesOf(join(home.path, 'cloud'))].map((file) => readFileSync(file, 'latin1'));
    for (const text of [program.output(), ...said]) {
      for (const secret of [WIFI.ssid, WIFI.password, 'wrong canary']) expect(text).not.toContain(secret);
    }
  });

  it('CLM-14 leaves no private key of the device in anything that the cloud keeps', async () => {
    const keyFiles = filesOf(join(home.path, 'pi', 'state')).filter((file) =>
      readFileSync(file, 'latin1').includes('PRIVATE KEY'),
    );
    expect(keyFiles.length).toBeGreaterThan(0);
    // A P-256 key in PKCS#8 begins with 48 characters that all keys share; the private number follows, and begins
    // with the same characters in a JWK's `d`, but for the two that base64url writes otherwise.
    const pem = /-----BEGIN PRIVATE KEY-----(?:\\n|\s)*[A-Za-z0-9+/]{48}([A-Za-z0-9+/]{16})/g;
    const secrets = keyFiles.flatMap((file) =>
      [...readFileSync(file, 'latin1').matchAll(pem)].flatMap(([, start]) => [
        start!,
        start!.replaceAll('+', '-').replaceAll('/', '_'),
      ]),
    );
    expect(secrets.length).toBeGreaterThan(0);
    const cloudFiles = filesOf(join(home.path, 'cloud'));
    expect(cloudFiles.length).toBeGreaterThan(100);
    for (const file of cloudFiles) {
      const text = readFileSync(file, 'latin1');
      expect(
        secrets.filter((secret) => text.includes(secret)),
        file,
      ).toEqual([]);
    }
  });

  it('ends with status 0 though Ctrl-C arrives twice, and leaves no process', async () => {
    program.child.kill('SIGINT');
    program.child.kill('SIGINT');
    expect(await program.exited).toBe(0);
    expect(processesOf(home.path)).toEqual([]);
  });

  it('goes on with the same device, data and passwords at the next start', async () => {
    const before = readFileSync(join(home.path, 'credentials.json'), 'utf8');
    program = startAres({ home: home.path, port: Number(new URL(program.url).port) });
    await program.sees(/^ready: /m);
    expect(readFileSync(join(home.path, 'credentials.json'), 'utf8')).toBe(before);
    expect(await devices()).toMatchObject([{ deviceUuid, lifeCycle: 'ACTIVE' }]);
    expect(program.output()).not.toMatch(/^✓ claim/m);
  });

  it('forgets its owner when it is given away, and serves another who sees nothing of the first', async () => {
    const credentials = filesOf(join(home.path, 'pi', 'state')).filter(
      (file) => readFileSync(file, 'latin1').includes('BEGIN CERTIFICATE') && !file.includes('trust'),
    );
    expect(credentials.length).toBeGreaterThan(0);
    await ares(home.path, 'device', 'unlink', deviceUuid);
    expect(await devices()).toEqual([]);
    await eventually(
      'the device is claimable',
      async () => (await agentState()).state === 'UNPROVISIONED',
      30_000,
    );
    expect(credentials.filter((file) => existsSync(file))).toEqual([]);

    const second = { email: 'second@example.org', password: 'a rather long password' };
    await createClient({ baseUrl: program.url, fetch }).register({ body: second });
    const env = {
      ARES_HOME: home.path,
      ARES_URL: program.url,
      ARES_EMAIL: second.email,
      ARES_PASSWORD: second.password,
    };
    const label = JSON.parse(await agent('label', ...piFlags(), '--json')) as { setupCode: string };
    await aresWith({ ...env, ARES_SETUP_CODE: label.setupCode }, 'pair');
    expect(await devices()).toEqual([]);
    expect((await aresWith<{ items: Device[] }>(env, 'device', 'list')).items).toMatchObject([
      { deviceUuid, lifeCycle: 'ACTIVE' },
    ]);
    const readings = () => aresWith<{ items: Reading[] }>(env, 'telemetry', deviceUuid, '--limit', '1000');
    await eventually('it reports to its new owner', async () => (await readings()).items.length > 0);
    expect((await readings()).items.filter(({ componentType }) => componentType !== 'cpu')).toEqual([]);
  });

  it('starts though the device has found another owner', async () => {
    program.child.kill('SIGTERM');
    expect(await program.exited).toBe(0);
    program = startAres({ home: home.path, port: Number(new URL(program.url).port) });
    await program.sees(/^ready: /m);
    expect(program.output()).toMatch(/another owner/);
  });

  it('leaves no process when it is killed', async () => {
    program.child.kill('SIGKILL');
    await program.exited;
    await eventually('nothing is left', () => processesOf(home.path).length === 0, 15_000);
  });
});

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
