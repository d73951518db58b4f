import { checkCredentials } from '../identity/check-credentials.ts';
import type { CredentialsIssuer } from '../identity/credentials-issuer.ts';
import type { CredentialsStore, StoredCredentials } from '../identity/credentials-store.ts';
import type { DeviceIdentity, Trust } from '../identity/types.ts';
import type { Clock } from '../ports/clock.ts';
import { CloudApiError } from '../ports/cloud-api.ts';
import type { Logger } from '../ports/logger.ts';

/** What the device has to show, or why it has to ask again. */
type CredentialsState =
  /** Perhaps ended: the device measures with them all the same, and asks for new ones. */
  | { readonly kind: 'usable'; readonly stored: StoredCredentials }
  /** To be asked for again by grant `identity`. */
  | { readonly kind: 'unusable'; readonly detail: string };

/** Keeps a working certificate on the device. */
export interface CredentialsKeeper {
  /** Looks at what is stored; finishes what an earlier process left half done. Never throws. */
  inspect(): CredentialsState;
  /** A new certificate by the old one, or by the identity key when that is refused or has ended. @throws {CloudApiError} */
  renew(present: StoredCredentials, signal: AbortSignal): Promise<StoredCredentials>;
  /** A certificate by the identity key alone. @throws {CloudApiError} */
  reissue(apiUrl: string, signal: AbortSignal): Promise<StoredCredentials>;
  /** New identity key, secret and certificate by the owner's token. @throws {CloudApiError} */
  recover(apiUrl: string, recoveryToken: string, signal: AbortSignal): Promise<StoredCredentials>;
  /** Goes on with a recovery that was asked for and not answered. */
  resumeRecovery(signal: AbortSignal): Promise<StoredCredentials | undefined>;
}

export function createCredentialsKeeper(ports: {
  readonly identity: DeviceIdentity;
  readonly trust: Trust;
  readonly store: CredentialsStore;
  readonly issuer: CredentialsIssuer;
  readonly clock: Clock;
  readonly logger: Logger;
}): CredentialsKeeper {
  const { identity, trust, store, issuer, clock, logger } = ports;
  const { deviceUuid } = identity;
  const trustedNow = () => (clock.synchronised() ? clock.now() : undefined);

  type Wish = Parameters<CredentialsIssuer['obtain']>[0];
  let queue: Promise<unknown> = Promise.resolve();
  // One request at a time: they share the place on the disk where a request waits for its answer.
  const obtain = (wish: Wish, signal: AbortSignal): Promise<StoredCredentials> => {
    const turn = queue.then(() => obtainNow(wish, signal));
    queue = turn.catch(() => undefined);
    return turn;
  };
  const obtainNow = async (wish: Wish, signal: AbortSignal): Promise<StoredCredentials> => {
    signal.throwIfAborted();
    const answered = await issuer.obtain(wish, signal);
    store.adopt(answered);
    const { apiUrl, privateKeyPem, answer } = answered;
    logger.info('new certificate', { grant: wish.grant, serial: answer.certificateSerial });
    return { v: 1, apiUrl, privateKeyPem, answer };
  };
  const reissue = (apiUrl: string, signal: AbortSignal) => obtain({ grant: 'identity', apiUrl }, signal);
  const recover = async (apiUrl: string, recoveryToken: string, signal: AbortSignal) => {
    try {
      return await obtain({ grant: 'recovery', apiUrl, recoveryToken }, signal);
    } catch (cause) {
      // A token that was refused is refused for ever; only one without an answer is worth a second attempt.
      if (cause instanceof CloudApiError && cause.code === 'REFUSED') store.dropPending();
      throw cause;
    }
  };

  return {
    inspect() {
      const pending = store.loadPending();
      if (pending.kind === 'found' && pending.value.answer !== undefined) {
        store.adopt({ ...pending.value, answer: pending.value.answer });
      }
      const loaded = store.load();
      if (loaded.kind !== 'found') {
        return { kind: 'unusable', detail: loaded.kind === 'none' ? 'there are none' : loaded.detail };
      }
      const stored = loaded.value;
      const { certificateChain } = stored.answer;
      const problem = checkCredentials(
        { certificateChain, privateKeyPem: stored.privateKeyPem },
        { deviceUuid, trust, now: trustedNow() },
      );
      return problem === undefined || problem.fault === 'EXPIRED'
        ? { kind: 'usable', stored }
        : { kind: 'unusable', detail: `${problem.fault}: ${problem.detail}` };
    },
    async renew(present, signal) {
      const now = trustedNow();
      const ended = now !== undefined && now >= present.answer.notAfter;
      if (ended) return reissue(present.apiUrl, signal);
      try {
        return await obtain({ grant: 'renew', apiUrl: present.apiUrl, present }, signal);
      } catch (cause) {
        // A server that ends the connection because of the certificate gives no other sign than that.
        const refused =
          cause instanceof CloudApiError &&
          (cause.code === 'CONNECT' || cause.code === 'TLS' || cause.problem === 'CERTIFICATE_REQUIRED');
        if (!refused) throw cause;
        return reissue(present.apiUrl, signal);
      }
    },
    reissue,
    recover,
    async resumeRecovery(signal) {
      const pending = store.loadPending();
      if (pending.kind !== 'found' || pending.value.recoveryToken === undefined) return undefined;
      return recover(pending.value.apiUrl, pending.value.recoveryToken, signal);
    },
  };
}
