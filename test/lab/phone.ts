import { join } from 'node:path';
import type { BleLink } from '@ares/protocol/ble';
import { connectWithin } from '../../cloud/src/phone/simulated-phone.ts';
import { type Central, startBridge } from './phone-bridge.ts';
import { startPhoneRelay } from './phone-relay.ts';
import type { Vm } from './vm.ts';

/** A phone on the host whose Bluetooth is the guest's. */
export interface LabPhone {
  /**
   * Connects to whatever device of Ares advertises, trying for eight seconds at a time.
   * @throws {BleError} LINK_LOST when there is none in time
   */
  connect(withinMs?: number): Promise<BleLink>;
  /** Where phones of other processes connect, once each. */
  readonly socketPath: string;
  close(): void;
}

const FIND_WITHIN_MS = 90_000;
/** Starts one of the centrals in the guest, and gives the phone that it is. */
export async function startPhone(vm: Vm, central: Central): Promise<LabPhone> {
  await startBridge(vm, central);
  return await connectPhone(vm);
}

/** The phone of a machine whose bridge runs already: `labWithPhone`, or one that was saved with it. */
export async function connectPhone(vm: Vm): Promise<LabPhone> {
  const relay = await startPhoneRelay(vm.phoneSocket, join(vm.share, 'phone.sock'));
  return {
    connect: (withinMs = FIND_WITHIN_MS) =>
      connectWithin(relay.socketPath, withinMs).catch(async (error: Error) => {
        error.message += `\n${await vm.sh("journalctl -u lab-phone -u 'ares-agent*' -o cat | tail -40")}`;
        throw error;
      }),
    socketPath: relay.socketPath,
    close: () => relay.close(),
  };
}
