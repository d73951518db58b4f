import { join } from 'node:path';

/** Every file of a device's state directory, so that each is named once. */
export interface DevicePaths {
  readonly stateDir: string;
  /** UUID, hardware version and variant; survives a reset. */
  readonly identity: string;
  /** Identity key, PKCS#8 PEM; survives a reset. */
  readonly identityKey: string;
  /** 128 bits in hex; survives a reset, because the label does. */
  readonly setupCode: string;
  /** Survives a reset; changes only by a signed update. */
  readonly trust: string;
  /** Certificate, its key, the shared secret and the address of the cloud in one file. */
  readonly credentials: string;
  /** A request for credentials that has begun. */
  readonly pendingCredentials: string;
  readonly lifecycle: string;
  /** An onboarding that has begun. */
  readonly provisioning: string;
  /** A reset that has begun. */
  readonly reset: string;
  /** The latest time known to have been; survives a reset. */
  readonly clock: string;
  /** Where the CLI reaches the running agent; who holds it is the only agent of this directory. */
  readonly controlSocket: string;
}

export function devicePaths(stateDir: string): DevicePaths {
  const file = (name: string) => join(stateDir, name);
  return {
    stateDir,
    identity: file('identity.json'),
    identityKey: file('identity-key.pem'),
    setupCode: file('setup-code'),
    trust: file('trust.json'),
    credentials: file('credentials.json'),
    pendingCredentials: file('pending-credentials.json'),
    lifecycle: file('lifecycle.json'),
    provisioning: file('provisioning.json'),
    reset: file('reset.json'),
    clock: file('clock'),
    controlSocket: file('control.sock'),
  };
}
