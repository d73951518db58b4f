import type { CredentialsAnswer } from '@ares/protocol/http/device';
import type { ChildJobs } from '../ports/child-jobs.ts';
import type { Clock } from '../ports/clock.ts';
import { CloudApiError } from '../ports/cloud-api.ts';
import { checkCredentials } from './check-credentials.ts';
import type { CredentialsStore, PendingCredentials, StoredCredentials } from './credentials-store.ts';
import { createPrivateKeyPem } from './keys.ts';
import type { DeviceIdentity, Trust } from './types.ts';

/** What is asked for, and by what right. */
type CredentialsWish =
  | { readonly grant: 'claim'; readonly apiUrl: string; readonly claim: { claimId: string; nonce: string } }
  | { readonly grant: 'recovery'; readonly apiUrl: string; readonly recoveryToken: string }
  | { readonly grant: 'identity'; readonly apiUrl: string }
  | { readonly grant: 'renew'; readonly apiUrl: string; readonly present: StoredCredentials };

export type AnsweredCredentials = PendingCredentials & { readonly answer: CredentialsAnswer };

export interface CredentialsIssuer {
  /**
   * Asks for a certificate of a new key. Key and request are on the disk before they are sent and the same are sent
   * again until there is an answer, so an answer that was lost is fetched, not issued a second time. The answer is
   * on the disk too when this resolves; `adopt` of the store makes it the device's credentials.
   *
   * @throws {CloudApiError} also `ANSWER_INVALID` when the certificate does not fit key, device and trust file
   */
  obtain(wish: CredentialsWish, signal: AbortSignal): Promise<AnsweredCredentials>;
}

const JOB_TIMEOUT_MS = 60_000;

export function createCredentialsIssuer(ports: {
  readonly identity: DeviceIdentity;
  readonly trust: Trust;
  readonly store: CredentialsStore;
  readonly jobs: ChildJobs;
  readonly clock: Clock;
  /** Read anew: a recovery replaces it. */
  identityKeyPem(): string;
}): CredentialsIssuer {
  const { identity, trust, store, jobs, clock } = ports;
  const { deviceUuid, cpuSerial } = identity;

  async function begin(wish: CredentialsWish, signal: AbortSignal): Promise<PendingCredentials> {
    const earlier = store.loadPending();
    if (earlier.kind === 'found' && serves(earlier.value, wish))
      return { ...earlier.value, grant: wish.grant };
    const privateKeyPem = createPrivateKeyPem();
    const { csr } = await jobs.run(
      'csr',
      { privateKeyPem, deviceUuid },
      { signal, timeoutMs: JOB_TIMEOUT_MS },
    );
    const pending: PendingCredentials = {
      v: 1,
      grant: wish.grant,
      apiUrl: wish.apiUrl,
      privateKeyPem,
      csr,
      ...(wish.grant === 'claim' && { claim: wish.claim }),
      ...(wish.grant === 'recovery' && {
        recoveryToken: wish.recoveryToken,
        identityKeyPem: createPrivateKeyPem(),
      }),
    };
    store.savePending(pending);
    return pending;
  }

  async function ask(pending: PendingCredentials, wish: CredentialsWish, signal: AbortSignal) {
    const client = wish.grant === 'renew' ? clientOf(wish.present) : undefined;
    const { answer } = await jobs.run(
      'credentials',
      {
        endpoint: { apiUrl: wish.apiUrl, caCertificates: trust.caCertificates, client },
        grant: wish.grant,
        deviceUuid,
        cpuSerial,
        identityKeyPem: pending.identityKeyPem ?? ports.identityKeyPem(),
        csr: pending.csr,
        claim: pending.claim,
        recoveryToken: pending.recoveryToken,
      },
      { signal, timeoutMs: JOB_TIMEOUT_MS },
    );
    return answer;
  }

  return {
    async obtain(wish, signal) {
      const pending = await begin(wish, signal);
      if (pending.answer !== undefined) return { ...pending, answer: pending.answer };
      let answer: CredentialsAnswer;
      try {
        answer = await ask(pending, wish, signal);
      } catch (cause) {
        // A request that the cloud refuses for itself would be refused for ever; the next attempt makes a new one.
        if (cause instanceof CloudApiError && spent(cause.problem)) store.dropPending();
        throw cause;
      }
      const problem = checkCredentials(
        { certificateChain: answer.certificateChain, privateKeyPem: pending.privateKeyPem },
        { deviceUuid, trust, now: clock.synchronised() ? clock.now() : undefined },
      );
      if (problem !== undefined) {
        store.dropPending();
        throw new CloudApiError('ANSWER_INVALID', `The certificate cannot be used: ${problem.detail}.`);
      }
      const answered = { ...pending, answer };
      store.savePending(answered);
      return answered;
    },
  };
}

/** Whether a request that was saved asks for the same thing. Renewals may go on by the identity key. */
function serves(pending: PendingCredentials, wish: CredentialsWish): boolean {
  if (pending.apiUrl !== wish.apiUrl) return false;
  switch (wish.grant) {
    case 'claim':
      return pending.claim?.claimId === wish.claim.claimId && pending.claim.nonce === wish.claim.nonce;
    case 'recovery':
      return pending.recoveryToken === wish.recoveryToken;
    case 'renew':
    case 'identity':
      return pending.grant === 'renew' || pending.grant === 'identity';
  }
}

/** Certificate and key as a TLS client needs them. */
function clientOf({ answer, privateKeyPem }: StoredCredentials) {
  return { certificateChain: answer.certificateChain, privateKeyPem };
}

function spent(problem: CloudApiError['problem']): boolean {
  return problem === 'BAD_CSR' || problem === 'KEY_IN_USE';
}
