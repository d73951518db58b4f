import { type Client, createClient } from '@ares/protocol/http';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { eventually } from '../../support/ares-process.ts';
import { seededRandom } from '../../support/random.ts';
import { askAgentStatus } from '../agent-status.ts';
import { type GpioSim, makeGpioChip } from '../gpio-sim.ts';
import { makePowerCutRig, type PowerCutRig } from '../power-cut-rig.ts';
import { profiles } from '../wifi-air.ts';

const machine = inject('labWithPhone');
const BUTTON = 5;
const LED = 6;
const PATIENCE_MS = 120_000;

describe.skipIf(machine === null)('a device that was claimed over the air', () => {
  const random = seededRandom();
  let rig: PowerCutRig;
  let chip: GpioSim;
  let friend: Client;
  let id = '';
  let kept = '';

  const sh = (script: string) => rig.machine().sh(script);
  const status = () => askAgentStatus(rig.machine());
  const state = async () => (await status()).state;
  /** Presses the button for so long by the guest's clock, and gives the levels of the LED meanwhile. */
  const press = async (seconds: number) => {
    const line = (number: number) => `${chip.folder}/sim_gpio${number}`;
    const levels = await sh(`
      now() { read -r up rest </proc/uptime; up=\${up%.*}\${up#*.}; }
      now; end=$((up + ${seconds * 100}))
      echo pull-down >${line(BUTTON)}/pull
      while now; [ "$up" -lt $end ]; do cat ${line(LED)}/value; sleep 0.03; done
      echo pull-up >${line(BUTTON)}/pull`);
    return levels.replaceAll('\n', '');
  };
  const buttonSays = (event: string) =>
    eventually(`the button says ${event}`, async () =>
      (await sh('journalctl -u ares-agent -o cat --no-pager | grep button || true')).includes(event),
    );
  /** What the cloud keeps of the owners that the device has had, the first one first. */
  const assignments = async () => {
    const { rows } = await rig.cloud.database.query<{ ended: boolean; receipt: boolean; life_cycle: string }>(
      `select a.ended_at is not null as ended, a.reset_receipt_at is not null as receipt, d.life_cycle
       from assignments a join devices d on d.id = a.device_id where d.device_uuid = $1 order by a.number`,
      [id],
    );
    return rows;
  };
  const readings = async (client: Client) => {
    const { items } = await client.telemetry({ params: { id }, query: { limit: 10_000, resolution: 'raw' } });
    return items.flatMap((item) => ('measuredAt' in item ? [item.measuredAt] : []));
  };
  /** Those of an owner whose device was paired a moment ago. */
  const firstReadings = async (client: Client) => {
    await eventually('readings arrive', async () => (await readings(client)).length > 0, PATIENCE_MS);
    return await readings(client);
  };
  /** Nothing of an owner is on the device, everything of its own is, and it offers itself to the next one. */
  const hasForgotten = async () => {
    await eventually(
      'it is wiped',
      async () => (await state().catch(String)) === 'UNPROVISIONED',
      PATIENCE_MS,
    );
    expect(await rig.files('credentials')).toEqual([]);
    expect(await sh(`grep -rlE 'example.org' /var/lib/ares-agent || true`)).toBe('');
    const files = (await sh('ls -A /var/lib/ares-agent')).trim().split('\n');
    expect(files).not.toContain('reset.json');
    expect(files.filter((name) => /^(?:outbox|provisioning|pending)/.test(name))).toEqual([]);
    expect(await profiles(rig.machine())).toEqual(['of the administrator']);
    expect(await rig.identity()).toBe(kept);
    const link = await rig.connect();
    expect((await link.readInfo()).length).toBe(18);
    await link.disconnect();
  };

  beforeAll(async () => {
    console.log(`seed ${random.seed}`);
    rig = await makePowerCutRig(machine!, random, {
      settings: { wifi: 'networkmanager', button: { line: BUTTON, led: LED } },
      around: async (vm) => {
        chip = await makeGpioChip(vm);
        await chip.pull(BUTTON, 'pull-up');
        await vm.sh(`
          profile() {
            cat >"/etc/NetworkManager/system-connections/$1.nmconnection"
            chmod 600 "/etc/NetworkManager/system-connections/$1.nmconnection"
          }
          for name in 'of the owner' 'of the administrator'; do
            printf '[connection]\\nid=%s\\ntype=wifi\\nautoconnect=false\\n[wifi]\\nssid=garden\\n' "$name" | profile "$name"
          done
          printf '[user]\\nares.managed=yes\\n' >>'/etc/NetworkManager/system-connections/of the owner.nmconnection'
          systemctl start NetworkManager`);
      },
    });
    await rig.powerOn();
    await rig.settled();
    const anonymous = createClient({ baseUrl: rig.cloud.url, fetch });
    const body = { email: 'friend@example.org', password: 'correct horse battery' };
    const { accessToken } = await anonymous.register({ body });
    friend = createClient({ baseUrl: rig.cloud.url, fetch, accessToken: () => accessToken });
    id = await rig.register(await rig.registrationLine());
    kept = await rig.identity();
    await rig.pair();
  });

  afterAll(() => rig?.close());

  it('does nothing but blink while its button is held for nine seconds', async () => {
    await eventually('Bluetooth is closed', async () => (await status()).bluetooth === 'closed');
    await chip.until(LED, 0, 10_000);
    const levels = await press(9);
    // Three times a second on a board; a busy machine shows fewer of them.
    expect(levels.match(/01/g)?.length).toBeGreaterThan(2);
    await buttonSays('hold-ended');
    await chip.until(LED, 0, 10_000);
    expect(await state()).toBe('OPERATING');
  });

  it('offers itself over the air after a short press', async () => {
    await press(0.5);
    await buttonSays('short');
    const link = await rig.connect();
    expect((await link.readInfo()).length).toBe(18);
    await link.disconnect();
    expect(await state()).toBe('OPERATING');
  });

  it('FSP-08 forgets its owner when its button is held for ten seconds, and stays his until he gives it away', async () => {
    expect(await profiles(rig.machine())).toContain('of the owner');
    await press(12);
    await hasForgotten();
    // Found or stolen, it is of no use to others.
    expect(await assignments()).toEqual([{ ended: false, receipt: false, life_cycle: 'ACTIVE' }]);
    const { items } = await rig.cloud.owner.listDevices();
    expect(items).toMatchObject([{ deviceUuid: id }]);
    const { rows } = await rig.cloud.database.query('select code from security_events');
    expect(rows).toContainEqual({ code: 'RESET_WITHOUT_ORDER' });
    await expect(rig.pair(undefined, friend)).rejects.toMatchObject({ code: 'DEVICE_OWNED' });
  });

  it('shows its next owner nothing of the former one', async () => {
    const before = await readings(rig.cloud.owner);
    expect(before.length).toBeGreaterThan(0);
    await expect(readings(friend)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await rig.cloud.owner.unlink({ params: { id } });
    expect(await assignments()).toMatchObject([{ ended: true, life_cycle: 'RELEASED' }]);
    await rig.pair(undefined, friend);
    const now = await firstReadings(friend);
    expect(now.filter((at) => before.includes(at))).toEqual([]);
    expect((await readings(rig.cloud.owner)).filter((at) => now.includes(at))).toEqual([]);
  });

  it('FSP-08 forgets its owner who gave it away though the plug is pulled in the middle of it', async () => {
    const before = await readings(friend);
    // It can hear the order, but not say that it has obeyed.
    await sh(
      `nft add table ip cut && nft add chain ip cut out '{ type filter hook output priority 0; }' && nft add rule ip cut out tcp dport ${rig.cloud.devicePort} drop`,
    );
    await friend.unlink({ params: { id } });
    await sh(
      'cd /var/lib/ares-agent; until [ -e reset.json ] && [ ! -e credentials.json ]; do sleep 0.1; done',
    );
    expect(await rig.files('credentials')).toEqual([]);
    await rig.pullPlug();
    expect((await assignments())[1]).toMatchObject({ ended: true, receipt: false });

    await rig.powerOn();
    await hasForgotten();
    expect((await assignments())[1]).toEqual({ ended: true, receipt: true, life_cycle: 'RELEASED' });
    await rig.pair();
    const now = await firstReadings(rig.cloud.owner);
    expect(now.filter((at) => before.includes(at))).toEqual([]);
  });

  it('FSP-08 forgets its owner who gives it away', async () => {
    await rig.cloud.owner.unlink({ params: { id } });
    await hasForgotten();
    expect((await assignments())[2]).toEqual({ ended: true, receipt: true, life_cycle: 'RELEASED' });
  });
});
