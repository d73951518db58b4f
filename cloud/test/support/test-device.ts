import { createHash, generateKeyPairSync, type KeyObject, randomBytes, randomUUID, sign } from 'node:crypto';
import {
  type CredentialsRequest,
  credentialsSigningInput,
  type Grant,
  receiptSigningInput,
  standingSigningInput,
} from '@ares/protocol/http/device';
import { type MadeCsr, makeCsr } from '../../../test/support/certificate-requests.ts';

export const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');

/** The device's side of claim and credentials, as the agent does it, and able to do it wrong. */
export class TestDevice {
  readonly deviceUuid = randomUUID();
  readonly cpuSerial = randomBytes(8).toString('hex');
  apiHost: string;
  identity = makeIdentity();

  constructor(apiHost: string) {
    this.apiHost = apiHost;
  }

  get identityKeyHash(): string {
    return sha256(this.identity.spki);
  }

  /** What the app reads over Bluetooth and sends with its claim. */
  get claimBody() {
    const { cpuSerial, deviceUuid, identityKeyHash } = this;
    return { cpuSerial, deviceUuid, identityKeyHash };
  }

  async request(options: {
    grant: Grant;
    nonce: string;
    claimId?: string;
    recoveryToken?: string;
    csr?: MadeCsr | { der: Buffer };
    cpuSerial?: string;
    identity?: ReturnType<typeof makeIdentity>;
    /** What is signed instead of the truth. */
    signed?: { csr?: Buffer; apiHost?: string; grant?: Grant };
  }): Promise<CredentialsRequest> {
    const { grant, nonce, claimId, recoveryToken, signed = {} } = options;
    const identity = options.identity ?? this.identity;
    const cpuSerial = options.cpuSerial ?? this.cpuSerial;
    const { der } = options.csr ?? (await makeCsr());
    const text = credentialsSigningInput({
      grant: signed.grant ?? grant,
      apiHost: signed.apiHost ?? this.apiHost,
      deviceUuid: this.deviceUuid,
      cpuSerial,
      nonce,
      bound: claimId ?? (recoveryToken === undefined ? '-' : sha256(recoveryToken)),
      csrHash: sha256(signed.csr ?? der),
    });
    return {
      grant,
      deviceUuid: this.deviceUuid,
      cpuSerial,
      nonce,
      ...(claimId !== undefined && { claimId }),
      ...(recoveryToken !== undefined && { recoveryToken }),
      csr: der.toString('base64url'),
      identityKey: identity.spki.toString('base64url'),
      signature: signText(identity.privateKey, text),
    };
  }

  standing(nonce: string) {
    const { deviceUuid, apiHost } = this;
    const text = standingSigningInput({ apiHost, deviceUuid, nonce });
    return { deviceUuid, nonce, signature: signText(this.identity.privateKey, text) };
  }

  receipt(nonce: string, assignment: number, orderId: string | null) {
    const { deviceUuid, apiHost } = this;
    const text = receiptSigningInput({ apiHost, deviceUuid, assignment, orderId, nonce });
    return { deviceUuid, assignment, orderId, nonce, signature: signText(this.identity.privateKey, text) };
  }
}

export function makeIdentity() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, spki: publicKey.export({ type: 'spki', format: 'der' }) };
}

function signText(key: KeyObject, text: string): string {
  return sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
}
