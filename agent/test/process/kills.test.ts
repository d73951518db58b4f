import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askAgent } from '../../src/adapters/control-socket.ts';
import { type AgentProcess, agentAt } from '../support/agent-process.ts';
import { pair } from '../support/phone.ts';
import { startTlsDeviceApi, type TlsDeviceApi } from '../support/tls-device-api.ts';

/** Moments after the phone's request, or the order to reset, at which the process is killed, ms. */
const MOMENTS = process.env.ARES_FAULTS === 'long' ? Array.from({ length: 30 }, (_, i) => i * 60) : [350];

let cloud: TlsDeviceApi;
let stateDir: string;
let agent: ReturnType<typeof agentAt>;
let device: { deviceUuid: string; setupCode: string };
let running: AgentProcess | undefined;

beforeAll(async () => {
  cloud = await startTlsDeviceApi();
  stateDir = mkdtempSync(join(tmpdir(), 'ares-kills-'));
  agent = agentAt(stateDir);
  device = await agent.factoryInit(cloud.api.trust);
});
afterAll(async () => {
  await running?.stop('SIGKILL');
  await cloud.close();
  rmSync(stateDir, { recursive: true, force: true });
});

const state = async (): Promise<string> => {
  const answer = await askAgent(join(stateDir, 'control.sock'), { command: 'status' }).catch(() => undefined);
  return answer?.ok === true ? (answer.value as { state: string }).state : 'starting';
};
const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const here = (name: string) => existsSync(join(stateDir, name));

async function provision(): Promise<void> {
  const phone = await pair(agent.bleSocket, device.setupCode);
  const wifi = { ssid: 'greenhouse', password: 'growgrowgrow' };
  await phone.provision({ wifi, apiUrl: cloud.url, phoneTime: Date.now(), ...cloud.api.claim() });
}

async function settled(): Promise<string> {
  await expect.poll(state, { timeout: 60_000, interval: 200 }).toMatch(/^(UNPROVISIONED|OPERATING)$/);
  return state();
}

describe('a device that is killed', () => {
  it.each(MOMENTS)(
    'BLE-11 FSP-02 %i ms into its onboarding is claimable or provisioned, never between',
    { timeout: 120_000 },
    async (moment) => {
      running = agent.start();
      if ((await settled()) === 'OPERATING') {
        await agent.cli('reset', '--yes');
        await expect.poll(state, { timeout: 30_000 }).toBe('UNPROVISIONED');
      }
      await provision();
      await pass(moment);
      await running.stop('SIGKILL');
      running = agent.start();
      const after = await settled();
      if (after === 'UNPROVISIONED') {
        for (const name of ['credentials.json', 'pending-credentials.json', 'provisioning.json']) {
          expect(here(name), name).toBe(false);
        }
        // Claimable means that it can be claimed.
        await provision();
        await expect.poll(state, { timeout: 60_000, interval: 200 }).toBe('OPERATING');
      }
      expect(here('credentials.json')).toBe(true);
      expect(here('pending-credentials.json')).toBe(false);
      const wifi = JSON.parse(readFileSync(join(stateDir, 'wifi.json'), 'utf8')) as unknown;
      expect(wifi).toMatchObject({ current: { ssid: 'greenhouse' }, trial: null });
      await running.stop();
    },
  );

  it.each(MOMENTS)(
    'FSP-08 %i ms into a reset forgets its owner all the same',
    { timeout: 120_000 },
    async (moment) => {
      running = agent.start();
      if ((await settled()) === 'UNPROVISIONED') {
        await provision();
        await expect.poll(state, { timeout: 60_000, interval: 200 }).toBe('OPERATING');
      }
      const identity = readFileSync(join(stateDir, 'identity-key.pem'), 'utf8');
      const asked = await agent.cli('reset', '--yes');
      expect(asked.code).toBe(0);
      await pass(moment / 10);
      await running.stop('SIGKILL');
      running = agent.start();
      await expect.poll(state, { timeout: 30_000 }).toBe('UNPROVISIONED');
      for (const name of ['credentials.json', 'wifi.json', 'reset.json', 'outbox.db'])
        expect(here(name), name).toBe(false);
      expect(readFileSync(join(stateDir, 'identity-key.pem'), 'utf8')).toBe(identity);
      await running.stop();
    },
  );
});
