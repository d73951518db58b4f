import {
  credentialsSigningInput,
  receiptSigningInput,
  standingSigningInput,
} from '@ares/protocol/http/device';
import { publicKeyOf, sha256Hex, signText } from '../../identity/keys.ts';
import type { CloudEndpoint } from '../../ports/child-jobs.ts';
import type { CloudApi } from '../../ports/cloud-api.ts';
import type { Job } from '../run-child.ts';

/** The jobs that talk to the cloud, given how a connection is made. */
export interface CloudCalls {
  readonly reach: Job<'reach'>;
  readonly credentials: Job<'credentials'>;
  readonly standing: Job<'standing'>;
  readonly components: Job<'components'>;
  readonly time: Job<'time'>;
  readonly receipt: Job<'receipt'>;
}

export function createCloudCalls({ connect }: { connect(endpoint: CloudEndpoint): CloudApi }): CloudCalls {
  async function withApi<T>(endpoint: CloudEndpoint, call: (api: CloudApi) => Promise<T>): Promise<T> {
    const api = connect(endpoint);
    try {
      return await call(api);
    } finally {
      await api.close();
    }
  }

  return {
    reach: ({ endpoint }, signal) =>
      withApi(endpoint, async (api) => {
        await api.reach(signal);
        return {};
      }),

    credentials: (input, signal) =>
      withApi(input.endpoint, async (api) => {
        const { grant, deviceUuid, cpuSerial, csr, claim, recoveryToken, identityKeyPem } = input;
        const nonce = claim?.nonce ?? (await api.challenge(deviceUuid, signal));
        const bound = claim?.claimId ?? (recoveryToken === undefined ? '-' : sha256Hex(recoveryToken));
        const csrHash = sha256Hex(Buffer.from(csr, 'base64url'));
        const { apiHost } = api;
        const text = credentialsSigningInput({
          grant,
          apiHost,
          deviceUuid,
          cpuSerial,
          nonce,
          bound,
          csrHash,
        });
        const answer = await api.credentials(
          {
            grant,
            deviceUuid,
            cpuSerial,
            nonce,
            ...(claim && { claimId: claim.claimId }),
            ...(recoveryToken !== undefined && { recoveryToken }),
            csr,
            identityKey: publicKeyOf(identityKeyPem).toString('base64url'),
            signature: signText(identityKeyPem, text),
          },
          signal,
        );
        return { answer };
      }),

    standing: ({ endpoint, deviceUuid, identityKeyPem }, signal) =>
      withApi(endpoint, async (api) => {
        const nonce = await api.challenge(deviceUuid, signal);
        const text = standingSigningInput({ apiHost: api.apiHost, deviceUuid, nonce });
        const signature = signText(identityKeyPem, text);
        return { nonce, standing: await api.standing({ deviceUuid, nonce, signature }, signal) };
      }),

    time: ({ endpoint, nonce }, signal) =>
      withApi(endpoint, async (api) => ({ time: await api.time(nonce, signal) })),

    components: ({ endpoint, deviceUuid }, signal) =>
      withApi(endpoint, async (api) => ({ components: await api.components(deviceUuid, signal) })),

    receipt: ({ endpoint, deviceUuid, identityKeyPem, assignment, orderId }, signal) =>
      withApi(endpoint, async (api) => {
        const nonce = await api.challenge(deviceUuid, signal);
        const { apiHost } = api;
        const text = receiptSigningInput({ apiHost, deviceUuid, assignment, orderId, nonce });
        const signature = signText(identityKeyPem, text);
        await api.resetReceipt({ deviceUuid, assignment, orderId, nonce, signature }, signal);
        return {};
      }),
  };
}
