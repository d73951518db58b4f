import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseRegistrationLine } from '@ares/protocol';
import type { DeviceStatus } from '../../agent/src/lifecycle/status.ts';
import type { BenchCloud } from '../bench/bench-cloud.ts';
import { eventually } from '../support/ares-process.ts';
import { askAgentStatus } from './agent-status.ts';
import { becomeBoard, raspberryPi4 } from './board.ts';
import { GUEST_SHARE, type Vm } from './vm.ts';

/** One device comes back at once; a fleet is spread over half a minute. */
export const BRISK = { operating: { reconnectSpreadMs: 500 } };

/** The installed agent of a guest, known to a cloud. */
export interface LabDevice {
  readonly deviceUuid: string;
  /** Of the label. */
  readonly setupCode: string;
  status(): Promise<DeviceStatus>;
  /** Waits for a state of the agent that runs. @throws with the journal when it is late */
  reaches(state: string, withinMs?: number): Promise<void>;
  journal(): Promise<string>;
}

/**
 * Gives the agent the cloud's trust file, as the owner of the cloud does with a device that is made, and tells the
 * cloud of the device.
 *
 * @param settings of the agent besides those of the package
 */
export async function makeDevice(
  vm: Vm,
  cloud: Pick<BenchCloud, 'trust' | 'admin'>,
  settings: object = {},
): Promise<LabDevice> {
  writeFileSync(join(vm.share, 'trust.json'), JSON.stringify(cloud.trust));
  const config = { radioSocket: '/run/ares-agent-radio.sock', ...BRISK, ...settings };
  writeFileSync(join(vm.share, 'config.json'), JSON.stringify(config));
  // All machines of the lab have the identity of their snapshot; this one becomes a device of its own.
  await becomeBoard(vm, { ...raspberryPi4, serial: `10000000${randomBytes(4).toString('hex')}` });
  await vm.sh(`
    mkdir -p /run/systemd/system/ares-agent.service.d
    printf '[Service]\\nRestartSec=1\\n' >/run/systemd/system/ares-agent.service.d/brisk.conf
    systemctl daemon-reload
    systemctl stop ares-agent
    find /var/lib/ares-agent -mindepth 1 -delete
    cp ${GUEST_SHARE}/config.json /etc/ares-agent/config.json`);
  const made = await vm.sh(`ares-agent factory-init --trust ${GUEST_SHARE}/trust.json --json`);
  const { registrationLine, setupCode } = JSON.parse(made) as {
    registrationLine: string;
    setupCode: string;
  };
  const registration = parseRegistrationLine(registrationLine);
  if (!registration.ok) throw new Error(`no registration line: ${made}`);
  await cloud.admin.preregister({ body: registration.value });
  await vm.sh('systemctl restart ares-agent');

  const status = () => askAgentStatus(vm);
  const journal = () => vm.sh("journalctl -u 'ares-agent*' -o cat --no-pager | tail -60");
  return {
    deviceUuid: registration.value.deviceUuid,
    setupCode,
    status,
    journal,
    async reaches(state, withinMs = 120_000) {
      let last: unknown;
      await eventually(
        `the agent is ${state}`,
        async () => {
          last = await status().catch((error: unknown) => error);
          return (last as DeviceStatus).state === state;
        },
        withinMs,
      ).catch(async (error: unknown) => {
        throw new Error(`${String(error)}: ${JSON.stringify(last)}\n${await journal()}`);
      });
    },
  };
}
