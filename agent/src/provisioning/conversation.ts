import type { BleDeviceState, BleRequest, BleRequestOf, BleResponse } from '@ares/protocol/ble';
import { isRequestAllowed } from '@ares/protocol/ble/conversation';
import type { LocalIdentity } from '../identity/identity-store.ts';
import type { LifecycleState } from '../lifecycle/transitions.ts';
import type { Wifi } from '../ports/wifi.ts';
import { BleRefusal } from './ble-window.ts';
import type { Progress } from './progress.ts';

/** What a phone that knows the setup code may set going. Each resolves when it has begun. */
export interface ConversationActions {
  /** @throws {BleRefusal} */
  provision(request: BleRequestOf<'provision'>): Promise<void>;
  recover(request: BleRequestOf<'recover'>): Promise<void>;
  changeWifi(request: BleRequestOf<'wifi-change'>): Promise<void>;
}

const SCAN_TIMEOUT_MS = 15_000;

/** What the phone is told about a state of life. */
export function bleStateOf(state: LifecycleState): BleDeviceState {
  switch (state) {
    case 'UNPROVISIONED':
      return 'claimable';
    case 'PROVISIONING':
      return 'provisioning';
    case 'OPERATING':
    case 'BLOCKED':
      return 'provisioned';
    case 'RECOVERY_NEEDED':
      return 'recovery-needed';
    case 'RESETTING':
      return 'resetting';
  }
}

/** The device's side of what is said over Bluetooth. */
export function createConversation(ports: {
  readonly local: () => LocalIdentity;
  readonly wifi: Wifi;
  readonly progress: Progress;
  readonly actions: ConversationActions;
  state(): LifecycleState;
}): (request: BleRequest) => Promise<BleResponse> {
  const { wifi, progress, actions } = ports;
  return async (request) => {
    const state = bleStateOf(ports.state());
    // Asked again here: the child that holds the session may be late by one.
    if (!isRequestAllowed(state, request.type)) {
      throw new BleRefusal(
        'NOT_ALLOWED_IN_STATE',
        `A device that is ${state} does not answer ${request.type}.`,
      );
    }
    switch (request.type) {
      case 'identity': {
        const { identity, identityKeyHash } = ports.local();
        return { type: 'identity', ...identity, identityKeyHash };
      }
      case 'status':
        return { type: 'status', state, steps: progress.reports() };
      case 'wifi-scan':
        return { type: 'wifi-scan', networks: [...(await wifi.scan(AbortSignal.timeout(SCAN_TIMEOUT_MS)))] };
      case 'provision':
        await actions.provision(request);
        return { type: 'provision' };
      case 'recover':
        await actions.recover(request);
        return { type: 'recover' };
      case 'wifi-change':
        await actions.changeWifi(request);
        return { type: 'wifi-change' };
    }
  };
}
