import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentProcess, agentAt } from '../support/agent-process.ts';
import { createFakeDeviceApi } from '../support/device-api.ts';
import { hasNotify, type NotifySocket, openNotifySocket, throughNotified } from '../support/notify-socket.ts';
import { canMount, mountSmallDisk } from '../support/small-disk.ts';

const patient = { timeout: 60_000 };
let stateDir: string;
let agent: ReturnType<typeof agentAt>;
let running: AgentProcess | undefined;
let systemd: NotifySocket | undefined;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'ares-service-'));
  agent = agentAt(stateDir);
  // A board that was never switched on before has its serial number and nothing else.
  mkdirSync(join(stateDir, 'board'));
  writeFileSync(join(stateDir, 'board', 'serial'), '10000000deadbeef');
});
afterEach(async () => {
  await running?.stop('SIGKILL');
  systemd?.close();
  running = undefined;
  systemd = undefined;
  rmSync(stateDir, { recursive: true, force: true });
});

const trustFile = () => join(stateDir, 'trust.json');
const statusOf = async () =>
  JSON.parse((await agent.cli('status', '--json')).stdout) as {
    state: string;
    why: string;
    whatToDo: string;
    firstBroken: { link: string };
    running: boolean;
  };

describe('the first start of a service', () => {
  it(
    'makes identity and setup code, waits for the trust file, and goes on when it is there',
    patient,
    async () => {
      running = agent.start();
      await running.saw('WAITING_FOR_TRUST');
      expect(statSync(join(stateDir, 'setup-code')).mode & 0o777).toBe(0o600);
      expect(readdirSync(stateDir)).not.toContain('ble.sock');
      const waiting = await statusOf();
      expect(waiting).toMatchObject({
        state: 'WAITING_FOR_TRUST',
        running: true,
        firstBroken: { link: 'tls' },
      });
      expect(waiting.whatToDo).toContain('ares-agent factory-init --trust FILE');
      const code = readFileSync(join(stateDir, 'setup-code'), 'utf8');

      const { trust } = await createFakeDeviceApi({ apiHost: '127.0.0.1:1' });
      const device = await agent.factoryInit(trust);
      await running.saw('Bluetooth is open');
      expect(await statusOf()).toMatchObject({ state: 'UNPROVISIONED', deviceUuid: device.deviceUuid });
      expect(readFileSync(join(stateDir, 'setup-code'), 'utf8')).toBe(code);
      expect(running.output()).not.toContain(device.setupCode);
      expect(await running.stop()).toBe(0);
    },
  );

  it('explains a damaged trust file instead of ending, and goes on when it is mended', patient, async () => {
    writeFileSync(trustFile(), '{"v":1,');
    running = agent.start();
    await running.saw('NEEDS_REPAIR');
    expect(await statusOf()).toMatchObject({
      state: 'NEEDS_REPAIR',
      why: expect.stringContaining('is not JSON'),
    });
    const { trust } = await createFakeDeviceApi({ apiHost: '127.0.0.1:1' });
    writeFileSync(trustFile(), JSON.stringify(trust, undefined, 2));
    await running.saw('Bluetooth is open');
  });

  it('explains at once why a device without a trust file cannot be reset', patient, async () => {
    const { code, stderr } = await agent.cli('reset', '--yes');
    expect(code).toBe(1);
    expect(stderr).toContain('no trust file');
  });

  it('refuses to give a device that has its identity another hardware variant', patient, async () => {
    running = agent.start();
    await running.saw('WAITING_FOR_TRUST');
    const { trust } = await createFakeDeviceApi({ apiHost: '127.0.0.1:1' });
    await agent.factoryInit(trust);
    const { code, stderr } = await agent.cli('factory-init', '--hardware-variant', 'outdoor');
    expect(code).toBe(1);
    expect(stderr).toContain('has its identity already');
  });
});

describe.skipIf(!canMount)('a card that can only be read (root only)', () => {
  it('FSP-04 is explained, and the agent ends to be started again', patient, async () => {
    const disk = mountSmallDisk('size=16m');
    try {
      const inside = agentAt(disk.dir);
      execFileSync('mount', ['-o', 'remount,ro', disk.dir]);
      const { code, stderr } = await inside.cli('run');
      expect(code).toBe(1);
      expect(stderr).toMatch(/state directory .* cannot be written \(.*EROFS.*replace a card/);
    } finally {
      disk.remove();
    }
  });
});

describe.skipIf(!hasNotify())('under systemd (skipped without python3 and perl)', () => {
  it.each([
    ['path', () => join(stateDir, 'notify')],
    ['abstract address', () => `@ares-test-${process.pid}`],
  ])(
    'is ready, feeds the watchdog, says its state in a line and that it stops, by a socket with %s',
    patient,
    async (_, address) => {
      const path = address();
      systemd = await openNotifySocket(path);
      const { fields, senders } = systemd;
      running = agent.start({ NOTIFY_SOCKET: path, WATCHDOG_USEC: '600000' }, throughNotified);
      await expect.poll(() => fields, { timeout: 15_000 }).toContain('READY=1');
      await expect.poll(() => fields.join('\n')).toMatch(/^STATUS=WAITING_FOR_TRUST: /m);
      const fed = () => fields.filter((field) => field === 'WATCHDOG=1').length;
      const pid = running.process.pid!;
      const before = fed();
      await expect.poll(fed, { timeout: 10_000 }).toBeGreaterThan(before + 3);

      const { trust } = await createFakeDeviceApi({ apiHost: '127.0.0.1:1' });
      await agent.factoryInit(trust);
      await expect.poll(() => fields.join('\n'), { timeout: 10_000 }).toMatch(/^STATUS=UNPROVISIONED: /m);
      // A child that was forked a moment ago still shows the parent's.
      await expect.poll(() => childrenOf(pid).map(environmentOf).join('\n')).not.toMatch(/NOTIFY_|WATCHDOG_/);
      const [, descriptor = ''] = /^ARES_NOTIFY_FD=(\d+)$/m.exec(environmentOf(pid)) ?? [];
      const own = readlinkSync(`/proc/${pid}/fd/${descriptor}`);
      expect(own).toMatch(/^socket:/);
      expect(childrenOf(pid).flatMap(filesOf)).not.toContain(own);
      expect(await running.stop()).toBe(0);
      await expect.poll(() => fields).toContain('STOPPING=1');
      expect(fields.filter((field) => field === 'READY=1')).toHaveLength(1);
      expect([...senders]).toEqual([pid]);
    },
  );

  it('says in the log why it cannot be heard, when it was started without that', patient, async () => {
    running = agent.start({ NOTIFY_SOCKET: join(stateDir, 'notify') });
    await running.saw('exec-notified.pl');
  });
});

/** Guard and radio. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter((child) => child !== '')
    .map(Number);
}

function filesOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).map((name) => readlinkSync(join(folder, name)));
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').replaceAll('\0', '\n');
  } catch {
    return '';
  }
}
