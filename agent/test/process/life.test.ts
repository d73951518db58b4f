import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeviceConnection } from '@ares/protocol/ble';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, agentAt } from '../support/agent-process.ts';
import { pair } from '../support/phone.ts';
import { startTlsDeviceApi, type TlsDeviceApi } from '../support/tls-device-api.ts';

let cloud: TlsDeviceApi;
let stateDir: string;
let agent: ReturnType<typeof agentAt>;
let device: { deviceUuid: string; setupCode: string; registrationLine: string };
let running: AgentProcess;
let phone: DeviceConnection;
const started: AgentProcess[] = [];

function start(): AgentProcess {
  const one = agent.start();
  started.push(one);
  return one;
}

const request = () => ({
  wifi: { ssid: 'greenhouse', password: 'growgrowgrow' },
  apiUrl: cloud.url,
  phoneTime: Date.now(),
  ...cloud.api.claim(),
});

async function outcome(connection: DeviceConnection) {
  for (;;) {
    const { steps, state } = await connection.status();
    const failed = steps.find(({ result }) => result === 'failed');
    if (failed !== undefined || steps.at(-1)?.result === 'ok') return { state, failed, steps };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

beforeAll(async () => {
  cloud = await startTlsDeviceApi();
  stateDir = mkdtempSync(join(tmpdir(), 'ares-life-'));
  agent = agentAt(stateDir);
});
afterAll(async () => {
  await running?.stop('SIGKILL');
  await cloud.close();
  rmSync(stateDir, { recursive: true, force: true });
});

describe('the life of a device, in its own process', () => {
  it('gets its identity once, however often factory-init runs', async () => {
    device = await agent.factoryInit(cloud.api.trust);
    expect(await agent.factoryInit(cloud.api.trust)).toEqual(device);
    expect(device.registrationLine).toMatch(/^ares1:[0-9a-f]{16}:/);
  });

  it('BLE-11 says that the password is wrong and can be tried again', { timeout: 30_000 }, async () => {
    running = start();
    phone = await pair(agent.bleSocket, device.setupCode);
    expect(await phone.identity()).toMatchObject({ deviceUuid: device.deviceUuid });
    await phone.provision({ ...request(), wifi: { ssid: 'greenhouse', password: 'wrong one' } });
    const { failed } = await outcome(phone);
    expect(failed).toMatchObject({ step: 'wifi', code: 'WIFI_WRONG_PASSWORD' });
    await running.saw('state=\\"UNPROVISIONED\\"'.replaceAll('\\', ''));
  });

  it('is provisioned by a phone, connects with its certificate and closes Bluetooth', {
    timeout: 60_000,
  }, async () => {
    await phone.provision(request());
    const result = await outcome(phone);
    expect(result.failed).toBeUndefined();
    expect(cloud.connected).toContain(device.deviceUuid);
    await phone.close();
    await running.saw('Bluetooth closes');
    await expect.poll(() => pairOnce()).toBe('refused');
    const { stdout } = await agent.cli('status');
    expect(stdout).toMatch(/state: +OPERATING/);
    expect(stdout).toMatch(/connection: +connected/);
  });

  it('ends once, cleanly and within five seconds when the signal comes twice', {
    timeout: 30_000,
  }, async () => {
    const begun = Date.now();
    running.process.kill('SIGINT');
    running.process.kill('SIGINT');
    expect(await running.stop('SIGINT')).toBe(0);
    expect(Date.now() - begun).toBeLessThan(5_000);
    expect(running.output().match(/stopping/g)).toHaveLength(1);
    expect((await agent.cli('status')).stdout).toMatch(/agent: +not running/);
  });

  it('goes on after a SIGKILL, and forgets its owner when asked', { timeout: 60_000 }, async () => {
    running = start();
    await expect.poll(() => cloud.connected.has(device.deviceUuid), { timeout: 15_000 }).toBe(true);
    await running.stop('SIGKILL');
    running = start();
    await expect.poll(() => cloud.connected.has(device.deviceUuid), { timeout: 15_000 }).toBe(true);
    expect((await agent.cli('reset', '--yes')).code).toBe(0);
    await running.saw('Bluetooth is open');
    expect(cloud.api.receipts).toEqual([{ assignment: 1, orderId: null }]);
    const { stdout } = await agent.cli('status', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'UNPROVISIONED',
      deviceUuid: device.deviceUuid,
      cloud: null,
    });
    expect(await running.stop()).toBe(0);
  });
});

describe('a device whose certificate was withdrawn', () => {
  it('is recovered by its owner over Bluetooth, with a new identity key', { timeout: 90_000 }, async () => {
    running = start();
    phone = await pair(agent.bleSocket, device.setupCode);
    const before = (await phone.identity()).identityKeyHash;
    await phone.provision(request());
    expect((await outcome(phone)).failed).toBeUndefined();
    await phone.close();
    await running.stop();

    cloud.api.standing = 'RECOVERY_NEEDED';
    cloud.refusing = true;
    running = start();
    await running.saw('"RECOVERY_NEEDED"');
    expect((await agent.cli('status')).stdout).toMatch(/what to do: +As its owner, ask for a recovery token/);
    phone = await pair(agent.bleSocket, device.setupCode);
    const recover = { apiUrl: cloud.url, phoneTime: Date.now() };
    await phone.recover({ ...recover, token: 'a'.repeat(43) });
    expect((await outcome(phone)).failed).toMatchObject({ step: 'claim', code: 'RECOVERY_REFUSED' });

    cloud.api.standing = 'ACTIVE';
    cloud.refusing = false;
    await phone.recover({ ...recover, token: cloud.api.recoveryToken() });
    expect((await outcome(phone)).failed).toBeUndefined();
    await expect.poll(() => cloud.connected.has(device.deviceUuid), { timeout: 15_000 }).toBe(true);
    expect(cloud.api.pinned).not.toBe(before);
    await phone.close();
  });

  it('lets its owner change the Wi-Fi after a press of the button, and keeps the old one when it fails', {
    timeout: 60_000,
  }, async () => {
    await expect.poll(() => pairOnce(), { timeout: 10_000 }).toBe('refused');
    expect((await agent.cli('button', 'short')).code).toBe(0);
    phone = await pair(agent.bleSocket, device.setupCode);
    await expect(phone.provision(request())).rejects.toMatchObject({ code: 'NOT_ALLOWED_IN_STATE' });
    await phone.wifiChange({
      wifi: { ssid: 'potting-shed', password: 'wrong password' },
      phoneTime: Date.now(),
    });
    expect((await outcome(phone)).failed).toMatchObject({ code: 'WIFI_WRONG_PASSWORD' });
    expect(ssid()).toBe('greenhouse');
    await phone.wifiChange({ wifi: { ssid: 'potting-shed', password: 'growgrow' }, phoneTime: Date.now() });
    expect((await outcome(phone)).failed).toBeUndefined();
    await expect.poll(ssid).toBe('potting-shed');
    await phone.close();
    expect(await running.stop()).toBe(0);
  });
});

describe('all that this device has sent and logged', () => {
  it('CLM-14 SEC-02 holds no private key, shared secret, setup code or Wi-Fi password, nor do status and doctor', async () => {
    const read = (name: string) => readFileSync(join(stateDir, name), 'utf8');
    const credentials = JSON.parse(read('credentials.json')) as {
      privateKeyPem: string;
      answer: { sharedSecret: string };
    };
    const secrets = [
      'PRIVATE KEY',
      'growgrow',
      device.setupCode,
      credentials.answer.sharedSecret,
      ...[read('identity-key.pem'), credentials.privateKeyPem].flatMap(formsOf),
    ];
    const sent = cloud.sent.join('\n');
    const logged = started.map((one) => one.output()).join('\n');
    expect(sent).toContain('"grant":"recovery"');
    expect(sent).toContain(`${device.deviceUuid}/connection/status`);
    expect(logged).toContain('"OPERATING"');
    const shown = await shownOf(stateDir);
    expect(shown).toContain(device.deviceUuid);
    expect(shown).toContain('"OPERATING"');
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(7);
      expect(sent).not.toContain(secret);
      expect(logged).not.toContain(secret);
      expect(shown).not.toContain(secret);
    }
  });
});

/** What an owner would send to somebody who helps; the setup code stands where nobody expects it. */
async function shownOf(dir: string): Promise<string> {
  const settings = join(dir, 'settings.json');
  writeFileSync(settings, JSON.stringify({ drivers: { strange: `/opt/${device.setupCode}` } }));
  const bundle = join(dir, 'bundle.tar.gz');
  const { stdout } = await agent.cli('status', '--json', '--probe');
  expect((await agent.cli('doctor', '--output', bundle, '--config', settings)).code).toBe(0);
  const unpacked = mkdtempSync(join(tmpdir(), 'ares-bundle-'));
  try {
    execFileSync('tar', ['-xzf', bundle, '-C', unpacked, '--strip-components=1']);
    const names = readdirSync(unpacked);
    expect(names).toEqual(
      expect.arrayContaining(['journal.txt', 'settings.json', 'status.json', 'store.json']),
    );
    return [stdout, ...names.map((name) => readFileSync(join(unpacked, name), 'utf8'))].join('\n');
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }
}

/** The private number of a key as a PEM, a JWK and a dump would show it. */
function formsOf(pem: string): string[] {
  const number = Buffer.from(createPrivateKey(pem).export({ format: 'jwk' }).d!, 'base64url');
  // The number begins at the 36th byte of a PEM, so its base64 is the same there but for the last two symbols.
  return [number.toString('base64url'), number.toString('hex'), number.toString('base64').slice(0, 42)];
}

const ssid = () =>
  (JSON.parse(readFileSync(join(stateDir, 'wifi.json'), 'utf8')) as { current: { ssid: string } }).current
    .ssid;

async function pairOnce(): Promise<string> {
  const { openLink } = await import('../support/phone.ts');
  return openLink(agent.bleSocket).then(
    (link) => {
      link.socket.destroy();
      return 'let in';
    },
    () => 'refused',
  );
}
