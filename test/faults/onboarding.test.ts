import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseRegistrationLine } from '@ares/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { createVirtualPi, type VirtualPi } from '../../cloud/src/demo/virtual-pi.ts';
import { connectWithin, greenhouseWifi, pairVirtualPi } from '../../cloud/src/phone/simulated-phone.ts';
import { agent, eventually, temporaryHome } from '../support/ares-process.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { seededRandom } from '../support/random.ts';

const ROUNDS = process.env['ARES_FAULTS'] === 'long' ? 40 : 2;
const home = temporaryHome();
let cluster: Cluster | undefined;
let pi: VirtualPi | undefined;

afterEach(async () => {
  await pi?.stop();
  await cluster?.stop();
  home.remove();
});

describe(`${ROUNDS} times claimed and given away, with the agent killed at a random moment of both`, () => {
  it('BLE-11 FSP-08 CLM-16 leaves the device claimable or provisioned, never between, and wiped when it was given away', async () => {
    const random = seededRandom();
    console.log(`seed ${random.seed} (ARES_SEED=${random.seed} repeats it)`);
    const cloud = await startCluster(join(home.path, 'cloud-home'));
    cluster = cloud;
    const device = createVirtualPi(join(home.path, 'pi'));
    pi = device;
    const { registrationLine, setupCode } = await device.factoryInit(cloud.trust);
    const registration = parseRegistrationLine(registrationLine);
    if (!registration.ok) throw new Error('no registration line');
    const { deviceUuid } = registration.value;
    await cloud.admin.preregister({ body: registration.value });
    await device.start();

    const where = ['--state-dir', device.stateDir, '--simulate-board', device.boardDir, '--json'];
    const state = async () => {
      const status = JSON.parse(await agent('status', ...where)) as { running: boolean; state: string };
      return status.running ? status.state : 'NOT RUNNING';
    };
    const settled = async () => {
      let last = '';
      await eventually(
        'the device is claimable or provisioned',
        async () => {
          last = await state().catch(() => 'NOT RUNNING');
          return last === 'UNPROVISIONED' || last === 'OPERATING';
        },
        60_000,
      );
      return last;
    };
    const pair = async () =>
      pairVirtualPi({
        link: await connectWithin(device.bleSocket, 30_000),
        setupCode,
        client: cloud.owner,
        wifi: greenhouseWifi,
        components: [{ componentType: 'cpu' }],
        onEvent: () => {},
      });
    const secrets = () =>
      filesWith(device.stateDir, /BEGIN CERTIFICATE|sharedSecret/).filter((file) => !file.includes('trust'));
    const outcomes = { claimable: 0, provisioned: 0 };

    for (let round = 0; round < ROUNDS; round++) {
      // An owner may claim twenty times an hour; this one does it more often than people do.
      await cloud.sql('delete from claim_attempts');
      const pairing = pair().catch(() => undefined);
      await wait(random.between(0, 2_500));
      await device.killAgent();
      await pairing;
      device.startAgent();
      if ((await settled()) === 'UNPROVISIONED') {
        outcomes.claimable += 1;
        expect(secrets()).toEqual([]);
        await pair();
      } else outcomes.provisioned += 1;
      await eventually('the cloud sees it online', async () => {
        const { items } = await cloud.owner.listDevices();
        return items.some((item) => item.deviceUuid === deviceUuid && item.lifeCycle === 'ACTIVE');
      });
      expect(await state()).toBe('OPERATING');

      await cloud.owner.unlink({ params: { id: deviceUuid } });
      await wait(random.between(0, 600));
      await device.killAgent();
      device.startAgent();
      await eventually(
        'the device is wiped',
        async () => (await state().catch(() => '')) === 'UNPROVISIONED',
        90_000,
      );
      expect(secrets()).toEqual([]);
      expect(readdirSync(device.stateDir).filter((name) => name.startsWith('outbox'))).toEqual([]);
    }
    console.log(outcomes);
    expect(cloud.deaths).toEqual([]);
  });
});

function filesWith(folder: string, pattern: RegExp): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => existsSync(file) && pattern.test(readFileSync(file, 'latin1')));
}
