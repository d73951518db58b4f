import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { type BleDeviceState, DEVICE_STATES } from './device-states.ts';
import { BleError } from './errors.ts';

/** The one GATT service; advertised while the device can be paired or recovered. */
export const SERVICE_UUID = '4c02a330-4c04-4b6c-9828-409b64a7c954';

/** Read: `DeviceInfo`. The only thing that anyone may read without the setup code. */
export const INFO_CHARACTERISTIC_UUID = '4c02a331-4c04-4b6c-9828-409b64a7c954';

/** Write with response: the app's frames. */
export const REQUEST_CHARACTERISTIC_UUID = '4c02a332-4c04-4b6c-9828-409b64a7c954';

/** Notify: the device's frames. Subscribe before the first write. */
export const RESPONSE_CHARACTERISTIC_UUID = '4c02a333-4c04-4b6c-9828-409b64a7c954';

/** Version of everything in this folder; in `info`, in each request and response, and in the prologue. */
export const PROTOCOL_VERSION = 1;

/** Most bytes of one message, sealed, without its two bytes of length. */
export const MAX_MESSAGE_BYTES = 4096;

/** The device disconnects when its session is not confirmed after this time (threat BLE-03). */
export const FIRST_MESSAGE_TIMEOUT_MS = 10_000;

/** Pause before the device advertises again after a first failed session; doubles with each failure in a row. */
export const BACKOFF_MIN_MS = 1_000;

/** Longest pause. There is no lock-out: it would let a passer-by stop the owner. */
export const BACKOFF_MAX_MS = 30_000;

/** One-byte message, unsealed: the first message did not fit the device's setup code; a disconnect follows. */
export const HANDSHAKE_REFUSED = 0x01;

/** One-byte message, unsealed: what came before the first message was no frame; the device still waits. */
export const HANDSHAKE_BAD_FRAME = 0x02;

/** Bytes that a write or notification carries at the smallest MTU that Bluetooth allows, 23. */
export const MIN_MTU_PAYLOAD = 20;

/** Content of the `info` characteristic. */
export interface DeviceInfo {
  readonly v: number;
  /** Device UUID, lower case. A name, no proof. */
  readonly uuid: string;
  readonly state: BleDeviceState;
}

/** Bytes of `info`: it fits into one read at the smallest MTU. */
const INFO_BYTES = 18;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** `info` as bytes: version (1), UUID (16, in the order in which it is written), state (1). */
export function encodeInfo(info: Omit<DeviceInfo, 'v'>): Uint8Array {
  const bytes = new Uint8Array(INFO_BYTES);
  bytes[0] = PROTOCOL_VERSION;
  bytes.set(hexToBytes(checkUuid(info.uuid).replaceAll('-', '')), 1);
  bytes[17] = DEVICE_STATES.indexOf(info.state);
  return bytes;
}

/**
 * Reads `info`. Bytes after the eighteenth are ignored: a later version may add some.
 *
 * @throws {BleError} INFO_MALFORMED, UNSUPPORTED_VERSION
 */
export function decodeInfo(bytes: Uint8Array): DeviceInfo {
  const v = bytes[0];
  if (v === undefined) throw new BleError('INFO_MALFORMED', 'the info value is empty');
  if (v !== PROTOCOL_VERSION) {
    throw new BleError(
      'UNSUPPORTED_VERSION',
      `the device speaks version ${v} and this app version ${PROTOCOL_VERSION}; update the older one`,
    );
  }
  const state = DEVICE_STATES[bytes[17] ?? DEVICE_STATES.length];
  if (bytes.length < INFO_BYTES || !state) {
    throw new BleError('INFO_MALFORMED', `the info value has ${bytes.length} bytes or an unknown state`);
  }
  const uuid = bytesToHex(bytes.subarray(1, 17)).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  return { v, uuid, state };
}

/** @throws {RangeError} when it is not a UUID in lower case */
export function checkUuid(uuid: string): string {
  if (!UUID.test(uuid)) throw new RangeError(`not a UUID in lower case: ${uuid.slice(0, 40)}`);
  return uuid;
}
