/** Why a network could not be joined: the step codes of the Bluetooth conversation. */
export type WifiErrorCode = 'WIFI_NOT_FOUND' | 'WIFI_WRONG_PASSWORD' | 'WIFI_FAILED' | 'ADDRESS_TIMEOUT';

export class WifiError extends Error {
  override readonly name = 'WifiError';
  readonly code: WifiErrorCode;

  constructor(code: WifiErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface WifiCredentials {
  /** 1 to 32 bytes of UTF-8, taken literally. */
  readonly ssid: string;
  /** WPA passphrase; absent for an open network. */
  readonly password?: string | undefined;
}

export interface VisibleNetwork {
  readonly ssid: string;
  readonly signalDbm: number;
  readonly security: 'open' | 'wpa' | 'other';
}

/**
 * The Wi-Fi of the device. A change is a trial that undoes itself: after `rollbackAfterMs` without `commit` the
 * former network is back even if this process is dead (a NetworkManager checkpoint does exactly that), so no
 * interrupted onboarding leaves a device on a network that nobody chose.
 */
export interface Wifi {
  scan(signal: AbortSignal): Promise<readonly VisibleNetwork[]>;
  /** Joins a network on trial; a trial before it is rolled back first. @throws {WifiError} and rolls back */
  beginTrial(
    credentials: WifiCredentials,
    options: { readonly rollbackAfterMs: number; readonly signal: AbortSignal },
  ): Promise<void>;
  /**
   * Resolves when the network of the trial has given an address; without a trial, when the device has one by any
   * interface, a cable for instance. @throws {WifiError} ADDRESS_TIMEOUT
   */
  waitForAddress(signal: AbortSignal): Promise<void>;
  /** Whether a trial is still under way, also one that an earlier process began. */
  inTrial(): Promise<boolean>;
  /** Keeps the network of the trial. Nothing to commit is no error. */
  commitTrial(): Promise<void>;
  /** Returns to the network before the trial. Nothing to undo is no error. */
  rollbackTrial(): Promise<void>;
  /** Forgets every network that an owner gave. */
  forgetAll(): Promise<void>;
}
