import { ProblemError } from '@ares/protocol';
import { readIdentityKey } from '../pki/public-keys.ts';

/**
 * Whether the pinned identity key signed this text for one of the cloud's own hosts.
 * @throws {ProblemError} BAD_SIGNATURE, also while the key was never shown
 */
export function assertSignedByDevice(options: {
  /** SPKI (DER) as it was pinned. */
  readonly identityKey: Buffer | null;
  readonly signature: string;
  readonly apiHosts: readonly string[];
  readonly textFor: (apiHost: string) => string;
}): void {
  const { identityKey, signature, apiHosts, textFor } = options;
  const key = identityKey === null ? undefined : readIdentityKey(identityKey);
  if (key !== undefined && apiHosts.some((apiHost) => key.verifies(textFor(apiHost), signature))) return;
  throw new ProblemError(
    'BAD_SIGNATURE',
    'The identity key that is pinned for this device did not sign this, for this host and port.',
  );
}
