import type { StepErrorCode } from '@ares/protocol/ble';
import type { WifiCredentials } from './wifi.ts';

/** How a change of network ended. In every case but `kept` the device is on the network before. */
export type NetworkChange =
  | { readonly outcome: 'kept' }
  /** Another change, or an onboarding, is under way; nothing was done. */
  | { readonly outcome: 'busy' }
  | { readonly outcome: 'undone'; readonly code: StepErrorCode; readonly detail: string };

/** Moves the device to another network if it proves to be good, and back if it does not. */
export type ChangeNetwork = (
  wifi: WifiCredentials,
  options: {
    /** Resolves when the cloud is reached over the new network in the caller's own way too. */
    proven(signal: AbortSignal): Promise<void>;
    readonly signal: AbortSignal;
  },
) => Promise<NetworkChange>;
