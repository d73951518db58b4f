import type { TrustFile } from '@ares/protocol';
import type { CredentialsAnswer } from '@ares/protocol/http/device';

/** Who this device is. Nothing of it is secret and nothing of it is a proof. */
export interface DeviceIdentity {
  /** UUID of the logical device, made on first boot, lower case. */
  readonly deviceUuid: string;
  /** Serial number of the board's processor, lower-case hex. */
  readonly cpuSerial: string;
  readonly hardwareVersion: string;
  readonly hardwareVariant: string;
}

/** What the cloud gave for the present assignment, with the private key of its certificate (PKCS#8, PEM). */
export type Credentials = CredentialsAnswer & { readonly privateKeyPem: string };

/** Authorities and command keys that came with the image or by `factory-init --trust`. */
export type Trust = TrustFile;
