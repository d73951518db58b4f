/** Codes that the device may send in an error response. */
export const DEVICE_ERROR_CODES = [
  'MALFORMED_REQUEST',
  'UNKNOWN_REQUEST',
  'UNSUPPORTED_VERSION',
  'FRAME_EMPTY',
  'FRAME_TOO_LARGE',
  'SSID_INVALID',
  'PASSWORD_INVALID',
  'API_URL_INVALID',
  'BUSY',
  'NOT_ALLOWED_IN_STATE',
  'INTERNAL',
] as const;

/** Codes that explain why a step of `provision`, `recover` or `wifi-change` failed; seen in `status`. */
export const STEP_ERROR_CODES = [
  'WIFI_NOT_FOUND',
  'WIFI_WRONG_PASSWORD',
  'WIFI_FAILED',
  'ADDRESS_TIMEOUT',
  'CLOCK_UNTRUSTED',
  'DNS_FAILED',
  'TLS_FAILED',
  'CLOUD_UNREACHABLE',
  'CLAIM_REFUSED',
  'CLAIM_EXPIRED',
  'IDENTITY_UNKNOWN',
  'RECOVERY_REFUSED',
  'CERTIFICATE_FAILED',
  'FIRST_READING_TIMEOUT',
  'TIMED_OUT',
  'INTERRUPTED',
  'INTERNAL',
] as const;

/** Codes that arise on one side and never travel. */
export const LOCAL_ERROR_CODES = [
  'SETUP_CODE_LENGTH',
  'SETUP_CODE_CHARACTER',
  'SETUP_CODE_MISTYPED',
  'SETUP_CODE_REFUSED',
  'LABEL_MALFORMED',
  'INFO_MALFORMED',
  'DEVICE_UNEXPECTED',
  'HANDSHAKE_FAILED',
  'LOW_ORDER_KEY',
  'SESSION_BROKEN',
  'RESPONSE_MALFORMED',
  'MESSAGE_TOO_LARGE',
  'LINK_LOST',
  'ABORTED',
  'CLOSED',
] as const;

export type DeviceErrorCode = (typeof DEVICE_ERROR_CODES)[number];
export type StepErrorCode = (typeof STEP_ERROR_CODES)[number];
export type LocalErrorCode = (typeof LOCAL_ERROR_CODES)[number];

/** Every reason for which something in the Bluetooth conversation fails; a closed union. */
export type BleErrorCode = DeviceErrorCode | StepErrorCode | LocalErrorCode;

/**
 * A failure of the conversation: `code` for programs, `detail` for people.
 * `detail` never contains a setup code, a password, a nonce or a token.
 */
export class BleError extends Error {
  override readonly name = 'BleError';
  readonly code: BleErrorCode;
  readonly detail: string;

  constructor(code: BleErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options);
    this.code = code;
    this.detail = detail;
  }
}

const deviceCodes: ReadonlySet<string> = new Set(DEVICE_ERROR_CODES);

/** Whether a code may stand in an error response. */
export function isDeviceErrorCode(code: string): code is DeviceErrorCode {
  return deviceCodes.has(code);
}
