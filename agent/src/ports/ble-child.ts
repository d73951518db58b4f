import type { BleDeviceState, BleRequest, BleResponse, DeviceErrorCode } from '@ares/protocol/ble';

/** From the resident process to the child that owns the radio. */
export type ToBleChild =
  | { readonly type: 'state'; readonly state: BleDeviceState }
  | { readonly type: 'answer'; readonly id: number; readonly response: BleResponse }
  | {
      readonly type: 'refusal';
      readonly id: number;
      readonly code: DeviceErrorCode;
      readonly detail: string;
    }
  /** Nobody new is let in; a session that stands may read on for `lingerMs`. Then the child ends. */
  | { readonly type: 'finish'; readonly lingerMs: number };

/** From that child. */
export type FromBleChild =
  | { readonly type: 'open' }
  | { readonly type: 'unavailable'; readonly detail: string }
  | { readonly type: 'request'; readonly id: number; readonly request: BleRequest }
  | { readonly type: 'confirmed' }
  | { readonly type: 'failed-session'; readonly reason: string; readonly failuresInARow: number };
